"""The forward of a call, made again: which operator is the first that makes a NaN of what holds none.

It runs in a child (`replay`), so what it does to modules, generators and gradients is nobody's concern.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import msgspec
import torch
from torch import nn
from torch.nn.modules import module as hooks

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.unobserved import as_the_user
from stepdbg.tracer.nonfinite.elements import bad_elements
from stepdbg.tracer.nonfinite.producers import operands
from stepdbg.tracer.nonfinite.producers.kept import Call
from stepdbg.tracer.nonfinite.producers.replay import Replayed
from stepdbg.tracer.stepping.operators import Seeing, operator_name

ModuleName = Callable[[nn.Module], str]
"""What the user calls a module."""
_UNWRITTEN = frozenset(("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize_"))
"""Operators whose result holds whatever the memory held before."""
_ON_PURPOSE = frozenset(("full", "full_like", "new_full", "fill", "fill_", "masked_fill", "masked_fill_", "where",
                         "scalar_tensor", "lift_fresh", "lift_fresh_copy"))  # fmt: skip
"""Operators by which a script writes an infinity that it means."""


class Found(BaseException):
    """What was looked for is found: nothing of the call matters any more."""

    def __init__(self, producer: Producer) -> None:
        super().__init__()
        self.producer = producer


class Place:
    """Where the call has come to: the module whose code runs, and the user's line."""

    def __init__(self, name_of: ModuleName) -> None:
        self._name_of = name_of
        self._open: list[nn.Module] = []
        self.base: FrameType | None = None
        """The frame from which the call is made: what lies outside of it has its own part in it."""

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Modules are seen as they are called."""
        enter: Any = hooks.register_module_forward_pre_hook(lambda module, _: self._open.append(module))
        leave: Any = hooks.register_module_forward_hook(self._leave, always_call=True)
        try:
            yield
        finally:
            enter.remove()
            leave.remove()

    def _leave(self, module: nn.Module, *_: Any) -> None:
        while self._open and self._open.pop() is not module:
            pass

    def here(self) -> tuple[str, str, int]:
        """The module, and the file and line of the user's own code, as far as that is part of the call."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame is not self.base:
            if frames.origin(frame.f_code.co_filename) == "user":
                return self._module(), frame.f_code.co_filename, frame.f_lineno or 0
            frame = frame.f_back
        return self._module(), "", 0

    def _module(self) -> str:
        return self._name_of(self._open[-1]) if self._open else ""


def run(call: Call, mode: Seeing, place: Place) -> Any:
    """Make the call again, as it was made."""
    model = call.model()
    if model is None:
        raise LookupError("the model is gone")
    place.base = sys._getframe()
    torch.set_rng_state(call.random)
    with ExitStack() as around:
        around.enter_context(as_the_user())
        around.enter_context(torch.set_grad_enabled(call.gradients))
        if call.autocast is not None:
            around.enter_context(torch.autocast("cpu", call.autocast))
        around.enter_context(place.followed())
        mode.push()
        around.callback(mode.remove)
        return model(*call.args, **call.kwargs)


def forward_again(call: Call, name_of: ModuleName, *, infinite: bool = False) -> Replayed:
    """The operator of that call which has made a NaN; where none has, and an `infinite` output is bad as
    well, the one that has made an infinity.
    """
    place = Place(name_of)
    operators = _Operators(place)
    try:
        run(call, Seeing(operators.before, operators.after), place)
    except Found as found:
        return Replayed(found.producer)
    suspect = operators.suspect or (operators.infinity if infinite else None)
    return Replayed(suspect, suspect is not None)


class _Operators:
    """Sees each operator, and ends the call at the first that makes a NaN."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.suspect: Producer | None = None
        """The first operator that was given a NaN which none was seen to make."""
        self.infinity: Producer | None = None
        """The newest operator that has made an infinity of finite numbers; certain where it is the only one."""

    def before(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[operands.Operand], str]:
        """What an operator is given, and the worst that it holds: `nan`, `inf`, or nothing."""
        given: list[operands.Operand] = []
        worst = ""
        schema = func._schema.arguments if hasattr(func, "_schema") else ()
        for number, argument in enumerate(schema):
            value = args[number] if number < len(args) else kwargs.get(argument.name)
            several = list(value) if isinstance(value, (list, tuple)) else [value]
            for one in several:
                if not isinstance(one, torch.Tensor):
                    continue
                if (bad := bad_elements(one, infinite=True)) is not None:
                    worst = "nan" if bad.nan or worst == "nan" else "inf"
            written = argument.alias_info is not None and argument.alias_info.is_write
            kept = [one.detach().clone() if written and isinstance(one, torch.Tensor) else one for one in several]
            given += [(argument.name, one) for one in kept]
        return given, worst

    def after(self, func: Any, _: Any, __: Any, result: Any, found: tuple[list[operands.Operand], str]) -> None:
        """What it has made of it."""
        given, worst = found
        name = operator_name(func).partition(".")[2] or operator_name(func)
        if name in _UNWRITTEN:
            return
        results = result if isinstance(result, (tuple, list)) else (result,)
        for one in results:
            bad = bad_elements(one, infinite=True) if isinstance(one, torch.Tensor) else None
            if bad is None:
                continue
            if worst == "nan":
                if bad.nan and self.suspect is None:
                    self.suspect = self._producer(name, "it was given a NaN that no operator has made", certain=False)
                continue
            if not bad.nan and (worst == "inf" or name in _ON_PURPOSE):
                continue
            why = operands.in_words(name, given, one, pointwise=torch.Tag.pointwise in getattr(func, "tags", ()))
            producer = self._producer(name, why)
            if not bad.nan:
                self.infinity = msgspec.structs.replace(producer, certain=self.infinity is None)
                continue
            if worst == "inf" and (infinity := self.infinity) is not None:
                line = f" (line {infinity.line})" if infinity.line else ""
                before = f"{infinity.what}{line} had made the infinity" + (f": {infinity.why}" if infinity.why else "")
                producer = msgspec.structs.replace(producer, why=f"{why}; {before}" if why else before)
            raise Found(producer)

    def _producer(self, name: str, why: str, *, certain: bool = True) -> Producer:
        module, file, line = self._place.here()
        return Producer(name.strip("_"), why, module, file, line, certain)
