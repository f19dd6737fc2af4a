"""The variables of the frames at a stop: listed frame by frame, and found again by name."""

from __future__ import annotations

import inspect
import sys
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

import torch

from stepdbg.protocol.messages import LOCALS, ListLocals, Local, Locals, Result
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.safe_repr import summary
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.variable_names import reachable_tensors

_UNINTERESTING = (ModuleType, FunctionType, BuiltinFunctionType, type)
"""What a module's frame is full of: imports and definitions."""


class Variables(Handler):
    """Looks into frames, and keeps them for no longer than training waits."""

    answers = (ListLocals,)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stack: list[FrameType] = []

    def open(self, at: AtStop) -> None:
        """Training has stopped with these frames, innermost first."""
        self._stack = at.stack

    def close(self) -> None:
        """Training goes on."""
        self._stack = []

    def frame(self, place: int) -> FrameType | None:
        """The frame of that place; None for the variables of `__main__`, where there is no frame."""
        return self._stack[place] if 0 <= place < len(self._stack) else None

    def answer(self, query: ListLocals) -> Result:
        """What the variables of the frame of that place hold."""
        place = query.frame
        frame = self.frame(place)
        found = variables_of(frame)
        names = {id(entry.tensor): name for name, entry in self._registry.alive.items() if entry.tensor is not None}
        spaces = list(frames.scopes(self._stack))
        rows: list[Local] = []
        left_out = 0
        for name, value in found.items():
            if name.startswith("__") or not name.isidentifier():
                continue
            if len(rows) >= LOCALS or (not is_function(frame) and is_a(value, _UNINTERESTING)):
                left_out += 1
                continue
            known_as = ""
            if is_a(value, torch.Tensor):
                known_as = names.get(id(value)) or self._name(name, value, frame, spaces)
            rows.append(summary(name, value, known_as))
        rows.sort(key=lambda row: row.shape is None)
        return Locals(place, tuple(rows), left_out)

    def make_known(self, name: str) -> None:
        """Put the tensor that a variable of that name leads to among what is alive, if there is one."""
        if not name or name in self._registry.alive:
            return
        value = self._find(name)
        if value is not None:
            self._registry.alive[name] = Alive("variable", value)
            if (grad := gradient(value)) is not None:
                self._registry.alive[f"{name}.grad"] = Alive("variable", grad)

    def _name(self, name: str, value: object, frame: FrameType | None, spaces: list[dict[str, Any]]) -> str:
        """`hidden`, if that means this value to the user at the stop; else `hidden in forward`."""
        for space in spaces:
            if name in space:
                if space[name] is value and name not in self._registry.alive:
                    return name
                break
        return f"{name} in {frame.f_code.co_name if frame else '__main__'}"

    def _find(self, name: str) -> torch.Tensor | None:
        name, _, function = name.partition(" in ")
        if function:
            spaces = (variables_of(frame) for frame in self._stack if frame.f_code.co_name == function)
        else:
            spaces = frames.scopes(self._stack)  # type: ignore[assignment]
        for space in spaces:
            if name in space:
                value = space[name]
                return value if is_a(value, torch.Tensor) else None
        if function or name.isidentifier():
            return None
        reachable = reachable_tensors(frames.scopes(self._stack))  # `losses[0]`, `output.logits`
        return next((tensor for expression, tensor in reachable if expression == name), None)


def is_function(frame: FrameType | None) -> bool:
    """Whether its variables are a function's; if not, they are a module's or a class's."""
    return frame is not None and bool(frame.f_code.co_flags & inspect.CO_OPTIMIZED)


def variables_of(frame: FrameType | None) -> dict[str, Any]:
    """The variables of the frame; of `__main__`, where there is no frame."""
    if frame is not None:
        return frames.local_variables(frame)
    main = sys.modules.get("__main__")
    return dict(vars(main)) if main is not None else {}
