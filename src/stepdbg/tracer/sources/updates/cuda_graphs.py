"""CUDA graphs: while one is recorded nothing may be asked of the device, and where one is replayed phases are hidden.

`torch.cuda.graph` records what is called and runs nothing of it; a question to the device, be it only whether a copy
has arrived, would end the recording with an error. `replay` runs all that was recorded as one: so it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from stepdbg.tracer.patching.wrap import wrap
from stepdbg.tracer.sources.wrapping import leave
from stepdbg.tracer.tensors import devices

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink


class CudaGraphs:
    """The recording and the replay of graphs."""

    def __init__(self, tracer: Sink) -> None:
        self._tracer = tracer
        self._notified = False

    def install(self, kind: Any = torch.cuda.CUDAGraph) -> None:
        """Hook that class of graphs."""
        wrap(kind, "capture_begin", self._begin)
        wrap(kind, "capture_end", self._end)
        wrap(kind, "replay", self._replay)

    def _begin(self, original: Any) -> Callable[..., Any]:
        tracer = self._tracer

        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            devices.recording(1)
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                devices.recording(-1)
                leave(tracer, None, error)
                raise

        return capture_begin

    def _end(self, original: Any) -> Callable[..., Any]:
        tracer = self._tracer

        def capture_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            finally:
                devices.recording(-1)

        return capture_end

    def _replay(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def replay(*args: Any, **kwargs: Any) -> Any:
            if not hooks._notified:
                hooks._say_what_is_hidden()
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise

        return replay

    def _say_what_is_hidden(self) -> None:
        """A graph is replayed; within a phase (`make_graphed_callables`, `torch.compile`) it hides nothing."""
        tracer = self._tracer
        if not tracer.listening() or tracer.free_run.open is not None or tracer.tracker.open is not None:
            return
        self._notified = True
        tracer.tell(
            "CUDAGraph.replay() runs what was recorded, forward, backward and step alike, as one: no phase of it can "
            "be seen; run the loop without the graph to step through it",
            "warning",
        )
