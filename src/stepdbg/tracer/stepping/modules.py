"""Into a forward, module by module: a stop after each call of a module, containers after what they contain.

`__call__` is wrapped while a phase is stepped into, on `nn.Module` and on every class of the model's that has its own:
no instance bears anything. Where nothing but breakpoints name modules, it is wrapped on the classes of those alone. The
wrapper lies around the user's own hooks; what it shows is what the caller gets. What is compiled is one call: its
inside is no Python any more.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.compiler import is_compiling

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.layout import is_compiled, modules_of
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.patching.wrap import without_wrapper, wrapper_of
from stepdbg.tracer.stepping.describe import describe_tensors
from stepdbg.tracer.stepping.operators import Operators

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside, NamedUnit

_super: Any = super
"""Under its own name, within a class, it would have the function refer to that class, which is ours."""
_NOTHING: Mapping[int, NamedUnit] = {}
_MADE = 10_000
"""Outputs whose makers are remembered for the backward; then all are forgotten."""


class ModuleHooks:
    """The calls of modules."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._kinds: set[Any] = set()
        """The classes with a `__call__` of their own."""
        self._plain: dict[type, tuple[Any, Any]] = {}
        """What was in the place of the wrapper (None where a class had none of its own), and the wrapper, by class."""
        self._named = _NOTHING
        """The modules that breakpoints name, by `id`."""
        self._names: dict[int, tuple[weakref.ref[nn.Module], str]] = {}
        self._roots: set[int] = set()
        """Models whose call is the whole phase: its end is the end of it."""
        self._open: list[nn.Module] = []
        """The modules whose calls are under way, outermost first."""
        self._operators = Operators(inside, self._innermost)

    def enter(self) -> None:
        """Wrap the call of every module, or of those that breakpoints name."""
        phase = self._inside.phase
        called = phase.owner() if phase is not None and phase.owner is not None else None
        if phase is not None and self._inside.points.any_in(phase.name):
            named = self._inside.points.modules(phase.name)
            compiled = isinstance(called, nn.Module) and is_compiled(called)
            if unseen := [one.name for one in named.values() if one.hidden or compiled]:
                self._inside.passed_compiled(unseen)
            self._named = {key: one for key, one in named.items() if not (one.hidden or compiled)}
        if self._inside.stepping:
            self._list()
        else:
            self._kinds |= {type(module) for one in self._named.values() if (module := one.ref()) is not None}
        if not self._kinds:
            return
        if isinstance(called, nn.Module) and is_compiled(called):
            self._inside.passed_compiled()
            return
        self._wrap()
        if len(self._inside.made) > _MADE:
            self._inside.made.clear()

    def _list(self) -> None:
        """Every module is to be seen: all classes that have a `__call__`, and what the modules are called."""
        tracer = self._inside.host
        self._kinds.add(nn.Module)
        for name, model in tracer.registry.models():
            if not tracer.driving:
                self._roots.add(id(model))
            for path, module in modules_of(model):
                self._names.setdefault(id(module), (weakref.ref(module), f"{name}.{path}".removesuffix(".")))
                self._kinds.add(_calls(type(module)))

    def ordered(self) -> None:
        """Have every module seen, if all are to be stepped by, and operators, if those are."""
        if self._plain and self._inside.stepping and nn.Module not in self._kinds:
            self._list()
            self._wrap()
        if self._plain and self._inside.stepped_by("operator"):
            self._operators.enter()

    def ends(self) -> None:
        """Nothing is left to show."""

    def leave(self) -> None:
        """Unwrap it."""
        self._unwrap()
        self._open.clear()
        self._names.clear()
        self._named = _NOTHING

    def _wrap(self) -> None:
        for kind in self._kinds - self._plain.keys():
            plain = vars(kind).get("__call__")
            wrapper = self._wrapped(kind, plain)
            self._plain[kind] = (plain, wrapper)
            kind.__call__ = wrapper
        self.ordered()

    def _unwrap(self) -> None:
        self._operators.leave()
        for kind, (plain, wrapper) in self._plain.items():
            if vars(kind).get("__call__") is not wrapper:
                continue
            if plain is None:
                del kind.__call__
            else:
                kind.__call__ = plain  # type: ignore[method-assign]
        self._plain.clear()

    def _wrapped(self, kind: Any, own: Any) -> Any:
        """A wrapper for the calls of modules of that class.

        Args:
            kind: The class.
            own: Its `__call__`; None where it has none of its own: that of its bases is looked up when it is called.
        """
        way, inside = self, self._inside

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if is_compiling():
                return own(self, *args, **kwargs) if own is not None else _super(kind, self).__call__(*args, **kwargs)
            original = partial(own, self) if own is not None else _super(kind, self).__call__
            seen = inside.phase is not None and inside.sees() and not (way._open and way._open[-1] is self)
            named = way._named.get(id(self))
            if named is None and not inside.stepping:
                seen = False
            if not seen or not way._plain:  # (where it was taken out, but somebody has kept it below one of their own)
                try:
                    return original(*args, **kwargs)
                except BaseException as error:
                    without_wrapper(error)
                    raise
            if named is not None:
                way._comes_to(self, named, args, kwargs)
            way._open.append(self)
            compiled = is_compiled(self)
            if compiled:  # its compiler is to see torch as it always is
                inside.passed_compiled()
                way._unwrap()
            try:
                result = original(*args, **kwargs)
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

        return wrapper_of(own if own is not None else nn.Module.__call__, __call__)

    def _comes_to(self, module: nn.Module, named: NamedUnit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module that breakpoints name is about to be called."""
        if self._is_phase(module):
            return

        def describe(registry: Registry) -> m.Inner:
            given = args[0] if len(args) == 1 else args
            described, left_out = describe_tensors(registry, named.name, [], [("input", given), ("input", kwargs)])
            return m.Inner("module", named.name, type(module).__name__, tensors=described, left_out=left_out)

        self._inside.comes_to(named, describe, sys._getframe(1))

    def _is_phase(self, module: nn.Module) -> bool:
        """Whether the call of that module is the whole phase, whose boundaries are no inner ones."""
        phase = self._inside.phase
        return phase is not None and phase.owner is not None and phase.owner() is module

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
        named = None if self._is_phase(module) else self._named.get(id(module))
        name = named.name if named is not None else self._name(module)
        for _, tensor in tensors_in(result) if inside.stepping else ():
            if (node := tensor.grad_fn) is not None:
                inside.made.setdefault(node._sequence_nr(), name)

        def describe(registry: Registry) -> m.Inner:
            called = name or registry.scope.get(id(module)) or type(module).__name__
            given = args[0] if len(args) == 1 else args
            described, left_out = describe_tensors(
                registry, called, [("output", result)], [("input", given), ("input", kwargs)]
            )
            return m.Inner("module", called, type(module).__name__, tensors=described, left_out=left_out)

        inside.stop("module", name, describe, sys._getframe(1), named)

    def _name(self, module: nn.Module) -> str:
        """The path of a module from its model; empty for one that is in no model."""
        known = self._names.get(id(module))
        return known[1] if known is not None and known[0]() is module else ""

    def _innermost(self) -> str:
        """The module whose code runs."""
        return (self._name(self._open[-1]) or type(self._open[-1]).__name__) if self._open else ""


def _calls(kind: type) -> type:
    """The class whose `__call__` modules of that class have."""
    return next(one for one in kind.__mro__ if "__call__" in vars(one))
