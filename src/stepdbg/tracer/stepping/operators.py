"""Operator by operator: a dispatch mode that is on only while one steps by them.

Such a mode sees every call of an operator below autograd, and hands it on as it came: the same kernel computes the same
bits. It lies at the bottom of the stack of modes, so that a mode of the user's that begins or ends meanwhile finds its
own on top; it is put there without `with`, whose bookkeeping would have `torch.compile` run uncompiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling
from torch.utils._python_dispatch import TorchDispatchMode

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.unobserved import put_dispatch_modes, take_dispatch_modes
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.stepping.describe import describe_tensors

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside


_NO_WORK = ("aten.detach", "aten.lift_fresh", "aten._local_scalar_dense")


class Seeing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that shows each call, before it and after it, and changes none.

    Args:
        before: Told of an operator and its arguments; its answer is handed to `after`.
        after: Told of the operator, its arguments, its result, and what `before` has answered.
    """

    supports_higher_order_operators = True

    def __init__(
        self,
        before: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any],
        after: Callable[[Any, tuple[Any, ...], dict[str, Any], Any, Any], None],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.on = False
        self._before, self._after = before, after

    def push(self) -> None:  # type: ignore[override]
        """Be the lowest mode of all that are on, from now on."""
        above = take_dispatch_modes()
        torch._C._push_on_torch_dispatch_stack(self)
        put_dispatch_modes(above)
        self.on = True

    def remove(self) -> None:
        """Be none of them any more, wherever it lies."""
        self.on = False
        put_dispatch_modes([mode for mode in take_dispatch_modes() if mode is not self])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator as if nobody looked."""
        kwargs = kwargs or {}
        seen = self.on and not is_compiling()
        found = self._before(func, args, kwargs) if seen else None
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            error.__traceback__ = None  # without a mode there is no frame below the user's line
            raise
        if seen:
            self._after(func, args, kwargs, result, found)
        return result

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """What keeps torch's compiler, which takes seconds, from being imported for a wrapper that has it skip this
        method.
        """
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """What is compiled is run as compiled."""
        return True


class Operators:
    """The operators of a forward."""

    def __init__(self, inside: Inside, innermost: Callable[[], str]) -> None:
        self._inside = inside
        self._innermost = innermost
        self._mode: Seeing | None = None

    def enter(self) -> None:
        """See them, from now on."""
        if self._mode is None and can_see():
            self._mode = Seeing(lambda *_: None, self._ran)
            self._mode.push()

    def leave(self) -> None:
        """See no more."""
        if self._mode is not None:
            self._mode.remove()
            self._mode = None

    def _ran(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, _: Any) -> None:
        inside = self._inside
        if not inside.stepped_by("operator") or not inside.sees() or not is_work(func):
            return
        name, within = operator_name(func), self._innermost()

        def describe(registry: Registry) -> m.Inner:
            given = [("input", args), ("input", kwargs)]
            described, left_out = describe_tensors(registry, name, [("output", result)], given)
            return m.Inner("operator", name, within=within, tensors=described, left_out=left_out)

        inside.stop("operator", name, describe, sys._getframe(1))


def can_see() -> bool:
    """Whether nothing that takes the place of computing is on: fake tensors, tracing."""
    found = take_dispatch_modes()
    put_dispatch_modes(found)
    return not any(getattr(mode, "_mode_key", None) is not None for mode in found)


def operator_name(func: Any) -> str:
    """`aten.addmm`."""
    packet = getattr(func, "overloadpacket", func)
    return str(packet)


def is_work(func: Any) -> bool:
    """Whether it computes something, and not only asks, measures, or takes out of the graph."""
    name = operator_name(func)
    return name not in _NO_WORK and name.partition(".")[0] not in ("prim", "profiler")
