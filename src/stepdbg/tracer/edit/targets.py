"""Places that an edit writes to: a tensor or a part of it, a hyperparameter, a number in the state, a variable.

A place holds nothing alive: what it leads to may be gone when an edit is to be undone, and then it says so.
"""

from __future__ import annotations

import weakref
from types import CodeType, FrameType
from typing import Any, Protocol

import torch

from stepdbg.protocol import slices
from stepdbg.tracer.introspect.live_variables import assign
from stepdbg.tracer.python.variables import is_function, variables_of
from stepdbg.tracer.tensors.readable import local


class Gone(Exception):
    """What was edited is not there any more."""


class Place(Protocol):
    """Somewhere that a value can be written to."""

    def write(self, value: Any, under: bool) -> None:
        """Write it.

        Raises:
            Gone: there is nothing to write to.
        """
        ...

    def take_back(self, value: Any) -> None:
        """Write what was there before.

        Raises:
            Gone: there is nothing to write to.
        """
        self.write(value, under=False)


class TensorPlace(Place):
    """Some elements of a tensor; of a `DTensor` of the shard that this rank holds."""

    def __init__(self, tensor: torch.Tensor, chosen: tuple[slices.Place, ...]) -> None:
        self._tensor = weakref.ref(tensor)
        self._chosen = chosen
        self._versions: tuple[int, int] | None = None
        """The version counter before the edit and after it."""

    def write(self, value: torch.Tensor, under: bool) -> None:
        """Through the tensor, so that autograd notices; or past its version counter, so that it does not."""
        tensor = self._there()
        if tensor.is_inference():
            with torch.inference_mode():
                local(tensor)[0][self._chosen].copy_(value)
            return
        before = tensor._version
        self._put(tensor, value)
        if not under:
            torch.autograd.graph.increment_version(tensor)
        self._versions = (before, tensor._version)

    def take_back(self, value: torch.Tensor) -> None:
        """Write the old value so that it is for autograd as if nothing had ever been written.

        Where something else has written since, an edit that autograd noticed is taken back noticed as well.
        """
        tensor = self._there()
        if tensor.is_inference() or self._versions is None:
            self.write(value, under=False)
            return
        before, after = self._versions
        self._put(tensor, value)
        if before == after:
            return
        if tensor._version == after:
            torch._C._autograd._unsafe_set_version_counter((tensor,), (before,))
        else:
            torch.autograd.graph.increment_version(tensor)

    def _put(self, tensor: torch.Tensor, value: torch.Tensor) -> None:
        """Write it, and let no version counter move."""
        with torch.no_grad():
            local(tensor)[0].data[self._chosen].copy_(value)

    def _there(self) -> torch.Tensor:
        tensor = self._tensor()
        if tensor is None:
            raise Gone
        return tensor


class GroupPlace(Place):
    """A hyperparameter of an optimizer's group."""

    def __init__(self, optimizer: Any, index: int, key: str) -> None:
        self._optimizer, self._index, self._key = weakref.ref(optimizer), index, key

    def write(self, value: Any, under: bool) -> None:
        """Into the group, which `load_state_dict` may have made anew."""
        optimizer = self._optimizer()
        if optimizer is None or self._index >= len(optimizer.param_groups):
            raise Gone
        optimizer.param_groups[self._index][self._key] = value


class StatePlace(Place):
    """A number in the state of a parameter."""

    def __init__(self, optimizer: Any, parameter: torch.Tensor, key: Any) -> None:
        self._optimizer, self._parameter, self._key = weakref.ref(optimizer), weakref.ref(parameter), key

    def write(self, value: Any, under: bool) -> None:
        """Into the state."""
        optimizer, parameter = self._optimizer(), self._parameter()
        if optimizer is None or parameter is None or parameter not in optimizer.state:
            raise Gone
        optimizer.state[parameter][self._key] = value


class GradientPlace(Place):
    """The `.grad` of a parameter: it may become None, and a tensor where it was."""

    def __init__(self, parameter: torch.Tensor) -> None:
        self._parameter = weakref.ref(parameter)

    def write(self, value: Any, under: bool) -> None:
        """Have it be None, or a new tensor of these numbers, laid out as the parameter is."""
        parameter = self._there()
        if value is not None:
            numbers, value = value, torch.empty_like(parameter, requires_grad=False)
            local(value)[0].copy_(numbers)
        parameter.grad = value

    def take_back(self, value: Any) -> None:
        """Have it be what it was: that very tensor, or None."""
        self._there().grad = value

    def _there(self) -> torch.Tensor:
        parameter = self._parameter()
        if parameter is None:
            raise Gone
        return parameter


class VariablePlace(Place):
    """A variable of a frame. A frame is found again by its code and by how deep it lies."""

    def __init__(self, stacks: Stacks, place: int, name: str) -> None:
        frame = stacks.frame(place)
        self._stacks, self._name = stacks, name
        self._code: CodeType | None = frame.f_code if frame is not None else None
        self._depth = stacks.depth(place) if frame is not None else 0

    def write(self, value: Any, under: bool) -> None:
        """Bind it anew."""
        frame = None
        if self._code is not None:
            frame = self._stacks.at_depth(self._depth)
            if frame is None or frame.f_code is not self._code:
                raise Gone
        if frame is not None and is_function(frame):
            assign(frame, self._name, value)
        else:
            variables = frame.f_locals if frame is not None else main_variables()
            variables[self._name] = value


class Stacks:
    """The frames of the stop at which training waits; it is empty while it runs."""

    def __init__(self) -> None:
        self.frames: list[FrameType] = []
        """Innermost first."""

    def frame(self, place: int) -> FrameType | None:
        """The frame of that place; None for the variables of `__main__`, where there is no frame."""
        return self.frames[place] if 0 <= place < len(self.frames) else None

    def depth(self, place: int) -> int:
        """How deep the frame of that place lies, from the outermost."""
        return len(self.frames) - place

    def at_depth(self, depth: int) -> FrameType | None:
        """The frame that lies so deep."""
        return self.frame(len(self.frames) - depth)

    def variables(self, place: int) -> dict[str, Any]:
        """The variables of the frame of that place, by name."""
        return variables_of(self.frame(place))


def main_variables() -> dict[str, Any]:
    """The variables of `__main__`, by name: the dictionary itself."""
    import sys

    return vars(sys.modules["__main__"])
