"""Into a step, parameter by parameter, as the optimizer comes to them; or by operators.

A dispatch mode sees which tensors each operator is given: a parameter, its gradient, its state. Where an optimizer goes
from one parameter to the next (torch's own do, unless they are told or choose to do otherwise), training stops between
the two. A foreach or fused one writes all parameters by the same calls: these are left as they are, since another
implementation may round otherwise, and when they are over the parameters are shown one by one, with the word that they
were written together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.layout import optimized_by
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.stepping.describe import describe_tensors
from stepdbg.tracer.stepping.operators import Seeing, can_see, is_work, operator_name
from stepdbg.tracer.tensors.readable import Unreadable, address_of, local, stored_bytes
from stepdbg.tracer.tensors.statistics import norm

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside

_MOST = 256 * 1024 * 1024
"""Bytes of parameters, as they were before they were written, that are kept at a time."""


class ParameterHooks:
    """The parameters that a step writes."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._mode = Seeing(self._runs, self._ran)
        self._parameters: list[torch.Tensor] = []
        self._owner: dict[int, int] = {}
        """The place in that list of the parameter that memory belongs to, by its address."""
        self._optimizers: list[Any] = []
        """The optimizer of each."""
        self._handle: Any = None
        """The handle of the hook that is called where an optimizer's step returns."""
        self._known = 0
        """The number of parameters that had state when memory was last looked up."""
        self._current: int | None = None
        """The parameter that is being worked on."""
        self._written: dict[int, bool] = {}
        """The parameters written since the last stop, in order, each with whether it was written together with
        others."""
        self._before: dict[int, torch.Tensor] = {}
        """The parameters written since, as they were before, by `id`."""

    def enter(self) -> None:
        """See what is written, and to whom it belongs."""
        for _, optimizer in self._inside.host.registry.optimizers():
            for parameter in optimized_by(optimizer):
                self._parameters.append(parameter)
                self._optimizers.append(optimizer)
        self._own()
        if can_see():
            self._mode.push()
            self._handle = register_optimizer_step_post_hook(lambda *_: self._show())

    def ordered(self) -> None:
        """Both orders are seen by the same mode."""

    def ends(self) -> None:
        """What has not been shown is shown now: some write parameters in what is no step of an optimizer's."""
        self._mode.remove()
        self._show()

    def leave(self) -> None:
        """See no more, keep nothing."""
        self._mode.remove()
        if self._handle is not None:
            self._handle.remove()
        self._parameters, self._optimizers, self._owner = [], [], {}
        self._written, self._before = {}, {}

    def _own(self) -> None:
        """Find out whose memory is whose; a first step makes the state as it goes."""
        self._known = self._states()
        for place, (parameter, optimizer) in enumerate(zip(self._parameters, self._optimizers, strict=True)):
            state = optimizer.state.get(parameter)
            for value in (parameter, gradient(parameter), *(state.values() if isinstance(state, dict) else ())):
                if address := _address(value):
                    self._owner.setdefault(address, place)

    def _states(self) -> int:
        return sum(len(optimizer.state) for _, optimizer in self._inside.host.registry.optimizers())

    # what the mode sees

    def _runs(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An operator is about to run: if it begins with the next parameter, this one is done."""
        inside = self._inside
        if not inside.sees():
            return
        writes = list(_written_by(func, args, kwargs))
        if self._states() != self._known and any(_address(value) not in self._owner for value in writes):
            self._own()
        addresses = {_address(value) for value in _tensors((args, kwargs))}
        places = {self._owner[address] for address in addresses if address in self._owner}
        if not places:
            return
        together = len(places) > 1
        place = None if together else next(iter(places))
        if self._written and place != self._current and not any(self._written.values()):
            self._show()
        self._current = place
        for value in writes:
            written = self._owner.get(_address(value))
            if written is not None and _address(value) == _address(self._parameters[written]):
                self._keep(written)
                self._written[written] = self._written.get(written, False) or together

    def _ran(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, _: Any) -> None:
        """An operator has run."""
        inside = self._inside
        if not inside.stepped_by("operator") or not inside.sees() or not is_work(func):
            return
        name, current = operator_name(func), self._current

        def describe(registry: Registry) -> m.Inner:
            within = "" if current is None else self._name(registry, current)
            described, left_out = describe_tensors(
                registry, name, [("output", result)], [("input", args), ("input", kwargs)]
            )
            return m.Inner("operator", name, within=within, tensors=described, left_out=left_out)

        inside.stop("operator", name, describe, sys._getframe(1))

    def _keep(self, place: int) -> None:
        """Keep a parameter as it is before it is written for the first time, if there is room."""
        parameter = self._parameters[place]
        copied = sum(tensor.nbytes for tensor in self._before.values())
        if place not in self._before and copied + stored_bytes(parameter) <= _MOST:
            try:
                self._before[place] = local(parameter)[0].clone()
            except (RuntimeError, Unreadable):  # it cannot be read, or there is no memory for a copy
                return

    # showing

    def _show(self) -> None:
        """Stop after each parameter that has been written."""
        written, self._written = self._written, {}
        for place, together in written.items():
            if self._inside.stepped_by("into"):
                self._stop(place, together)
        self._before.clear()

    def _stop(self, place: int, together: bool) -> None:
        parameter, before = self._parameters[place], self._before.get(place)
        total = len(self._parameters)

        def describe(registry: Registry) -> m.Inner:
            name = self._name(registry, place)
            given = [] if before is None else [("before", before)]
            described, left_out = describe_tensors(
                registry, name, [("value", parameter)], [("gradient", gradient(parameter)), *given]
            )
            change = None if before is None else _apart(parameter, before)
            how: Literal["together", "written"] = "together" if together else "written"
            return m.Inner(
                "parameter",
                name,
                type(self._optimizers[place]).__name__,
                "",
                described,
                left_out,
                total=total,
                how=how,
                change=change,
            )

        self._inside.stop("parameter", "", describe, sys._getframe(1))

    def _name(self, registry: Registry, place: int) -> str:
        parameter = self._parameters[place]
        return next((name for name, one in registry.alive.items() if one.tensor is parameter), f"parameter {place}")


def _apart(parameter: torch.Tensor, before: torch.Tensor) -> float | None:
    """How far a parameter has moved."""
    try:
        return norm(local(parameter)[0] - before)
    except (RuntimeError, Unreadable):
        return None


def _address(value: object) -> int:
    """The address of a tensor's numbers; 0 where it has no memory of its own."""
    return address_of(value) if isinstance(value, torch.Tensor) else 0


def _tensors(values: object) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        for value in values.values():
            yield from _tensors(value)


def _written_by(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[torch.Tensor]:
    """The arguments that an operator writes, by its schema."""
    schema = getattr(func, "_schema", None)
    if schema is None:
        return
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from _tensors(args[place] if place < len(args) else kwargs.get(argument.name))
