"""Into a forward, module by module: a stop after each call of a module, containers after what they contain.

`__call__` is wrapped while a phase is stepped into, on `nn.Module` and on every class of the model's that has its own:
no instance bears anything. The wrapper lies around the user's own hooks; what it shows is what the caller gets. What is
compiled is one call: its inside is no Python any more.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.compiler import is_compiling

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.layout import modules_of
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.patching.wrap import without_wrapper, wrapper_of
from stepdbg.tracer.stepping.describe import describe_tensors
from stepdbg.tracer.stepping.operators import Operators

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside


_MADE = 10_000
"""Outputs whose makers are remembered for the backward; then all are forgotten."""


class ModuleHooks:
    """The calls of modules."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._kinds: set[Any] = set()
        """The classes with a `__call__` of their own."""
        self._plain: dict[type, tuple[Any, Any]] = {}
        """What was in the place of the wrapper, and the wrapper, by class."""
        self._names: dict[int, tuple[weakref.ref[nn.Module], str]] = {}
        self._roots: set[int] = set()
        """Models whose call is the whole phase: its end is the end of it."""
        self._open: list[nn.Module] = []
        """The modules whose calls are under way, outermost first."""
        self._operators = Operators(inside, self._innermost)

    def enter(self) -> None:
        """Wrap the call of every module."""
        tracer = self._inside.host
        self._kinds.add(nn.Module)
        for name, model in tracer.registry.models():
            if not tracer.driving:
                self._roots.add(id(model))
            for path, module in modules_of(model):
                self._names.setdefault(id(module), (weakref.ref(module), f"{name}.{path}".removesuffix(".")))
                self._kinds.add(_calls(type(module)))
        phase = self._inside.phase
        called = phase.owner() if phase is not None and phase.owner is not None else None
        if isinstance(called, nn.Module) and _is_compiled(called):
            self._inside.passed_compiled()
            return
        self._wrap()
        if len(self._inside.made) > _MADE:
            self._inside.made.clear()

    def ordered(self) -> None:
        """Have operators seen, if those are to be stepped by."""
        if self._plain and self._inside.stepped_by("operator"):
            self._operators.enter()

    def ends(self) -> None:
        """Nothing is left to show."""

    def leave(self) -> None:
        """Unwrap it."""
        self._unwrap()
        self._open.clear()
        self._names.clear()

    def _wrap(self) -> None:
        for kind in self._kinds:
            plain = vars(kind)["__call__"]
            wrapper = self._wrapped(plain)
            self._plain[kind] = (plain, wrapper)
            kind.__call__ = wrapper
        self.ordered()

    def _unwrap(self) -> None:
        self._operators.leave()
        for kind, (plain, wrapper) in self._plain.items():
            if vars(kind).get("__call__") is wrapper:
                kind.__call__ = plain  # type: ignore[method-assign]
        self._plain.clear()

    def _wrapped(self, original: Any) -> Any:
        way, inside = self, self._inside

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if is_compiling():
                return original(self, *args, **kwargs)
            seen = inside.phase is not None and inside.sees() and not (way._open and way._open[-1] is self)
            if not seen or not way._plain:  # (where it was taken out, but somebody has kept it below one of their own)
                try:
                    return original(self, *args, **kwargs)
                except BaseException as error:
                    without_wrapper(error)
                    raise
            way._open.append(self)
            compiled = _is_compiled(self)
            if compiled:  # its compiler is to see torch as it always is
                inside.passed_compiled()
                way._unwrap()
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                way._left(self)
                without_wrapper(error)
                raise
            finally:
                if compiled and inside.phase is not None:
                    way._wrap()
            way._left(self)
            way._done(self, args, kwargs, result)
            return result

        return wrapper_of(original, __call__)

    def _left(self, module: nn.Module) -> None:
        while self._open and self._open.pop() is not module:
            pass

    def _done(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Remember, when a call has returned, which module made the output, and stop."""
        inside = self._inside
        if inside.phase is None:
            return
        if not self._open and id(module) in self._roots:
            return
        name = self._name(module)
        for _, tensor in tensors_in(result):
            if (node := tensor.grad_fn) is not None:
                inside.made.setdefault(node._sequence_nr(), name)

        def describe(registry: Registry) -> m.Inner:
            called = name or registry.scope.get(id(module)) or type(module).__name__
            given = args[0] if len(args) == 1 else args
            described, left_out = describe_tensors(
                registry, called, [("output", result)], [("input", given), ("input", kwargs)]
            )
            return m.Inner("module", called, type(module).__name__, tensors=described, left_out=left_out)

        inside.stop("module", name, describe, sys._getframe(1))

    def _name(self, module: nn.Module) -> str:
        """The path of a module from its model; empty for one that is in no model."""
        known = self._names.get(id(module))
        return known[1] if known is not None and known[0]() is module else ""

    def _innermost(self) -> str:
        """The module whose code runs."""
        return (self._name(self._open[-1]) or type(self._open[-1]).__name__) if self._open else ""


def _is_compiled(module: nn.Module) -> bool:
    """Whether its call runs what `torch.compile` has made of it."""
    return type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None


def _calls(kind: type) -> type:
    """The class whose `__call__` modules of that class have."""
    return next(one for one in kind.__mro__ if "__call__" in vars(one))
