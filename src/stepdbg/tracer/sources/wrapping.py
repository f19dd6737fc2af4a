"""Wrappers around torch's functions: they say that a phase begins, call through, and say that it has ended.

Each bears the file name of `frames.INVISIBLE_FILE` and takes itself out of the tracebacks that pass through it. What it
does before and after the call is caught if it fails, since the objects of a script may be anything: then the boundary
is given up (`Tracer.gave_up`), and the script has what it has without us. In what
`torch.compile` compiles they do nothing: its tracer knows `is_dynamo_compiling()` to be true and sees the call alone.
(`torch.compiler.is_compiling()` asks both that are asked here, in two more calls, at each boundary of a free run.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import compiler as compiling
from torch.compiler import is_dynamo_compiling

from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.patching.wrap import without_wrapper
from stepdbg.tracer.phases.phase import Phase

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink


def as_phase(
    tracer: Sink,
    name: str,
    done: Callable[[str, tuple[Any, ...], dict[str, Any], Any], None] | None = None,
) -> Callable[[Any], Callable[..., Any]]:
    """Makes wrappers for functions that are one phase each.

    Args:
        tracer: Where the boundaries go.
        name: The phase.
        done: Is told the function's name, its arguments and what it has returned, phase or not.
    """

    def make(original: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            phase = None
            try:
                phase = tracer.begin(name) if tracer.admits(name) else None
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            try:
                if done is not None and tracer.listening():
                    with unseen():
                        done(original.__name__, args, kwargs, result)
                if phase is not None:
                    tracer.end(phase)
            except Exception as error:
                tracer.gave_up(error)
            return result

        return call

    return make


def leave(tracer: Sink, phase: Phase | None, error: BaseException) -> None:
    """An exception passes through a wrapper: end its phase, and take the wrapper's frame out of the traceback. If
    nothing will catch it on its way out, training stops here, where the outer frames are still as they were.

    The caller re-raises with a bare `raise`, which adds no frame of its own.
    """
    try:
        if isinstance(error, torch.OutOfMemoryError):
            tracer.give_back()
        if phase is not None:
            tracer.broke(phase)
    except Exception as fault:
        tracer.gave_up(fault)
    without_wrapper(error)
    tracer.passes(error, sys._getframe(1).f_back, phase)
