"""A generator loop as a source of boundaries: one at each yield, whose value names the phase that comes next."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from stepdbg.api import check_phase
from stepdbg.tracer.patching.wrap import without_wrapper
from stepdbg.tracer.phases.phase import Phase

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink


def drive(tracer: Sink, generator: Generator[object, Any, Any]) -> Any:
    """Run a loop to its end, with a boundary at each of its yields.

    Returns:
        What the generator returns.

    Raises:
        LoopError: it yielded something that is no string.
    """
    if tracer.driving or not tracer.trains_here("yield"):
        from stepdbg.api import run

        return run(generator)
    tracer.driving = True
    tracer.free_run.disarm()
    phase: Phase | None = None
    try:
        while True:
            name = check_phase(next(generator), generator)
            if tracer.listening():
                try:
                    phase = tracer.begin(name, call=False, at=getattr(generator, "gi_frame", None))
                except SystemExit as end:  # a trace is over: as if the loop itself had called sys.exit there
                    generator.throw(end)
                    raise
    except StopIteration as end:
        return end.value
    except BaseException as error:
        if phase is not None:
            tracer.broke(phase)
        without_wrapper(error)
        raise
    finally:
        tracer.driving = False
        if phase is not None:
            tracer.close(phase)
