"""What `torch.compile` hides: phases inside a compiled function run as one, and make no boundaries. So it is said.

A compiled *module* is a model as before; its forward is a boundary. Of a compiled function only what breaks its graph
is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.patching.wrap import wrap
from stepdbg.tracer.sources.wrapping import leave

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_EXPECTED = ("forward", "backward", "step")
"""What every update has, one way or another."""


class CompiledUpdates:
    """The functions that are compiled, until their effect on what can be seen has been told."""

    def __init__(self, tracer: Sink) -> None:
        self._tracer = tracer
        self._names: list[str] = []

    def install(self) -> None:
        """Hook `torch.compile`."""
        wrap(torch, "compile", self._compile)

    def _compile(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def compile(*args: Any, **kwargs: Any) -> Any:
            try:
                function = args[0] if args else kwargs.get("model")
                if function is not None and not is_a(function, nn.Module) and not tracer.muted:
                    hooks._names.append(str(getattr(function, "__qualname__", type(function).__name__)))
                    tracer.listeners.update = hooks._say_what_is_hidden
                    tracer.free_run.disarm()
            except Exception as error:
                tracer.gave_up(error)
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise

        return compile

    def _say_what_is_hidden(self) -> None:
        """Called when an update is over, until there is something to say."""
        phases = self._tracer.phases
        seen = {phase.name for phase in phases.before}
        hidden = [name for name in _EXPECTED if name not in seen]
        if hidden:
            self._tracer.listeners.update = None
            self._tracer.tell(
                f"{' and '.join(hidden)} cannot be seen: torch.compile runs {', '.join(self._names)} as one; "
                "with TORCH_COMPILE_DISABLE=1 in the environment every phase is there",
                "warning",
            )
