"""Steps are made, with gradients and parameters, and nothing changes; with the cause.

Told at the end of the run, of an optimizer none of whose steps has had an effect that lasts. A learning rate that a
scheduler will raise is a warm-up, and told as a fact at most.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.places import line_that_names
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import groups_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.tensors.readable import local

_LOW = (torch.bfloat16, torch.float16)
"""Dtypes in which weights are often too coarse for a step."""
_SKIPPED = 10
"""Steps in a row that a scaler may skip until its scale fits; it is halved with each."""
_SOME = 5
"""Steps after which it is told that part of the parameters has never changed, as a fact."""
_WRITERS = ("load_state_dict", "copy_", "vector_to_parameters")
"""What scripts write parameters with."""


@dataclass
class _Steps:
    """The steps of one optimizer."""

    optimizer: weakref.ref[Optimizer]
    name: str
    count: int = 0
    still: int = 0
    """How many of them have changed nothing."""
    undone: int = 0
    """How many of them the script has undone, with no forward in between."""
    doubtful: bool = False
    start: dict[str, object] = field(default_factory=dict)
    """The fingerprints of the parameters at the beginning of the last step, if it has changed them."""
    written: bool = False
    """Whether the script has written parameters since."""
    used: bool = False
    """Whether a forward came before it did."""
    rates: tuple[float, ...] = ()
    """The learning rates of the first step."""
    never: set[str] | None = None
    """The parameters that were written in each step so far, and never changed."""
    still_found: Finding | None = None
    undone_found: Finding | None = None


class NoUpdate(Rule):
    """The rule `no-update`."""

    name = "no-update"

    def __init__(self) -> None:
        self._known: dict[int, _Steps] = {}
        self._start: dict[str, object] = {}
        """The fingerprints of all parameters where the step begins that runs, or comes next."""
        self._skipped: dict[int, tuple[int, Finding | None]] = {}
        """How many steps of an optimizer, by `id`, a scaler has skipped, and what is told of it; None where
        `non-finite` tells what is not finite."""
        self._clipped: Place | None = None
        """The clip that has left nothing of the gradients since the last step."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        for known in self._known.values():
            known.written = known.written or any(one.before and one.object in known.start for one in moment.effects)
            known.used = known.used or (moment.done in ("forward", "eval") and not known.written)
        if moment.done == "clip" and any(one.kind == "grad" for one in moment.by_call):
            self._clipped = moment.place if _are_zero(_gradients(moment, moment.parameters)) else None
        if moment.done == "step" and "step" not in moment.inside and moment.optimizer and not moment.skipped:
            self._of_step(moment, *moment.optimizer)
        for known in self._known.values():
            known.written = known.written or any(one.after and one.object in known.start for one in moment.effects)
        if moment.done == "step" and moment.skipped and moment.optimizer:
            self._see_skipped(moment, *moment.optimizer)
        if moment.comes == "step" and "step" not in moment.inside:
            self._start = {name: one.print for name, one in moment.after.items() if one.kind == "parameter"}
        return ()

    def end(self, moment: Moment) -> Iterable[Finding]:
        for key, (count, found) in self._skipped.items():
            if found is not None and count >= _SKIPPED and key not in self._known:
                yield found
        for one in self._known.values():
            if one.count < 2 or one.doubtful:
                continue
            if one.still == one.count and one.still_found is not None:
                if not _rises(one):
                    yield one.still_found
            elif one.undone_found is not None and one.undone == one.count - 1 > 1 and len(self._known) == 1:
                yield one.undone_found
            elif one.never and one.count >= _SOME:
                yield self._partly(moment, one, sorted(one.never))

    def forget(self) -> None:
        self._known.clear()
        self._start.clear()
        self._skipped.clear()

    def right(self) -> str:
        moved = [one for one in self._known.values() if one.still < one.count and one.undone < max(1, one.count - 1)]
        return "steps change parameters" if moved and len(moved) == len(self._known) else ""

    def _of_step(self, moment: Moment, name: str, optimizer: Optimizer) -> None:
        known = self._known.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            known = self._known[id(optimizer)] = _Steps(weakref.ref(optimizer), name, rates=_rates(optimizer))
        held = moment.held_by(optimizer)
        start = {one: self._start[one] for one in held if self._start.get(one) is not None}
        if len(start) != len(held) or not held:
            known.doubtful = True  # what it holds has no name, or nobody saw the step begin
            return
        known.count += 1
        changed = {one.object for one in moment.by_call if one.kind == "parameter" and one.what == "changed"}
        changed |= {one for one in held if one in moment.after and moment.after[one].print != start[one]}
        if known.start and known.start == start and not known.used:
            known.undone += 1
            if known.undone_found is None:
                known.undone_found = self._put_back(moment, name, held)
        touched = {one.object for one in moment.by_call if one.kind == "parameter" and one.what == "touched"}
        coarse = [one for one in (touched & set(held)) - changed if moment.parameters[one].dtype in _LOW]
        still = {one for one in coarse if not _are_zero(_gradients(moment, [one]))}
        known.never = still if known.never is None else known.never & still
        if changed.isdisjoint(held):
            known.still += 1
            found = self._why(moment, name, optimizer, held, written=bool(touched & set(held)))
            known.doubtful = known.doubtful or (found is None)
            known.still_found = known.still_found or found
        known.start = start if not changed.isdisjoint(held) else {}
        known.written = known.used = False
        self._clipped = None

    def _see_skipped(self, moment: Moment, name: str, optimizer: Optimizer) -> None:
        held = moment.held_by(optimizer)
        count, before = self._skipped.get(id(optimizer), (0, None))
        known = moment.bad is not None or (count and before is None)
        self._skipped[id(optimizer)] = count + 1, None if known else self._all_skipped(moment, name, held, count + 1)

    def _all_skipped(self, moment: Moment, name: str, held: Sequence[str], count: int) -> Finding:
        backward, scale = moment.place_of("backward"), moment.scale_factor
        return self.finding(
            moment,
            f"the steps of {name} change nothing: the gradient scaler has skipped all {count}, since the gradients are "
            "not finite",
            objects=held,
            place=moment.place,
            evidence=f"after each of {count} backwards some gradients of {name} were not finite"
            + (f"; the scale is {scale:g} by now" if scale is not None else ""),
            cause=f"the gradients of the backward at {at(backward)} are not finite in any update: the loss times the "
            "scale is too large, or backward makes a NaN at any scale",
            fix="begin with a smaller init_scale, or make the loss smaller (a mean instead of a sum); if the scale is "
            "small already, look for the operator that makes the NaN without the scaler",
            update=1,
        )

    def _why(
        self, moment: Moment, name: str, optimizer: Optimizer, held: Sequence[str], *, written: bool
    ) -> Finding | None:
        """Why a step has changed nothing; None where that is as it should be, or not certain."""
        gradients = _gradients(moment, held)
        rates = _rates(optimizer)
        zero = _are_zero(gradients)
        weights = [moment.parameters[one] for one in held if one in moment.parameters]
        if not gradients or (zero and self._clipped is None) or not _all_finite([*gradients.values(), *weights]):
            return None  # (what is NaN stays NaN: another rule's)
        place: Place | None = moment.place
        severity: FindingSeverity = "error"
        if zero:
            place, fix = self._clipped, "clip to a norm above 0"
            cause = f"the clip at {at(place)} leaves nothing of the gradients: all are 0 after it"
        elif rates and not any(rates):
            driven = any(group.get("initial_lr") for group in groups_of(optimizer))
            severity = "info" if driven else "error"
            cause = f"lr of {name} is 0" + (": a scheduler has set it so" if driven else "")
            fix = "begin the warm-up above 0" if driven else "give the optimizer a learning rate above 0"
        elif written or any(group.get("fused") for group in groups_of(optimizer)):
            dtypes = {one.dtype for one in gradients.values()}
            severity = "error" if dtypes <= set(_LOW) else "warning"
            dtype = str(next(iter(dtypes))).removeprefix("torch.")
            cause = f"what the step adds is too small for {dtype}: it is rounded away ({_sizes(moment, gradients)})"
            fix = "keep the weights in float32 (and compute in autocast)" if dtypes <= set(_LOW) else "raise lr"
        else:
            line = _users_step(optimizer)
            if line is None or any(one.kind == "state" for one in moment.by_call):
                return None
            cause = f"the step of {type(optimizer).__name__} ({at(line)}) writes into none of its parameters"
            fix, place = "write the parameter in place (parameter.add_(...)), under no_grad", line
        rate = some(f"{one:g}" for one in dict.fromkeys(rates)) if rates else "unknown"
        return self.finding(
            moment,
            f"the steps of {name} change nothing: {cause}",
            objects=held,
            place=place,
            evidence=f"all {len(held)} parameters of {name} are after its steps, bit for bit, as they were before; "
            f"{len(gradients)} have gradients; lr is {rate}",
            cause=cause,
            fix=fix,
            severity=severity,
        )

    def _put_back(self, moment: Moment, name: str, held: Sequence[str]) -> Finding:
        lines = {one: place for one in _WRITERS if (place := line_that_names(moment, one)) is not None}
        writer, place = next(iter(lines.items())) if len(lines) == 1 else ("", None)
        who = f"{writer} at {at(place)}" if writer else "the script"
        return self.finding(
            moment,
            f"what {name} has changed is undone before it is used: {who} writes the old values back after each step",
            objects=held,
            place=place or moment.place,
            evidence=f"before each step all {len(held)} parameters of {name} are, bit for bit, as they were before the "
            "step before, which had changed them; no forward lies in between",
            cause=f"{who} puts the parameters back to what they were before the step at {at(moment.place)}",
            fix="copy the weights after the step, not before, or do not copy them back",
        )

    def _partly(self, moment: Moment, known: _Steps, never: Sequence[str]) -> Finding:
        several = len(never) > 1
        return self.finding(
            moment,
            f"{some(never)} {'have' if several else 'has'} not changed in {known.count} steps of {known.name}, though "
            "written: the steps are rounded away",
            objects=never,
            place=moment.place_of("step"),
            evidence=f"{len(never)} parameters are, bit for bit, as they were",
            cause="what a step adds is too small for the dtype of the weights",
            fix="keep the weights in float32 (and compute in autocast)",
            severity="info",
        )


def _gradients(moment: Moment, held: Iterable[str]) -> dict[str, torch.Tensor]:
    found = {name: moment.gradient_of(name) for name in held}
    return {
        name: one
        for name, one in found.items()
        if one is not None and one.layout is torch.strided and one.device.type != "meta"
    }


def _are_zero(gradients: Mapping[str, torch.Tensor]) -> bool:
    return not any(bool(one.any()) for one in gradients.values())


def _all_finite(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether all of these are finite, where that can be read."""
    return all(bool(torch.isfinite(local(one)[0]).all()) for one in tensors if one.layout is torch.strided)


def _rates(optimizer: Optimizer) -> tuple[float, ...]:
    """The learning rates of all groups; empty where one has none."""
    found = [group.get("lr") for group in groups_of(optimizer)]
    rates: list[float] = [float(one) for one in found if is_a(one, (int, float, torch.Tensor))]  # type: ignore[arg-type]
    return tuple(rates) if len(rates) == len(found) else ()


def _rises(known: _Steps) -> bool:
    """Whether a learning rate that is not 0 has become larger since the first step: a warm-up."""
    optimizer = known.optimizer()
    now = _rates(optimizer) if optimizer is not None else ()
    return any(after > before for before, after in zip(known.rates, now, strict=False))


def _sizes(moment: Moment, gradients: Mapping[str, torch.Tensor]) -> str:
    """How large gradients and weights are, and how far apart values of their dtype lie."""
    largest = max(float(one.abs().max()) for one in gradients.values() if one.numel())
    weight = moment.parameters[next(iter(gradients))]
    mean = float(weight.detach().float().abs().mean())
    if not mean:
        return f"the largest gradient is {largest:.2g}"
    apart = torch.finfo(weight.dtype).eps * 2.0 ** math.floor(math.log2(mean))
    return f"the largest gradient is {largest:.2g}; at a weight of {mean:.2g} the next value is {apart:.2g} away"


def _users_step(optimizer: Optimizer) -> Place | None:
    """Where the user's own code defines the step of an optimizer; None where it is a library's."""
    step: Any = next((vars(one)["step"] for one in type.mro(type(optimizer)) if "step" in vars(one)), None)
    while type(step) is FunctionType and type(inner := step.__dict__.get("__wrapped__")) is FunctionType:
        step = inner
    if type(step) is not FunctionType or frames.origin(step.__code__.co_filename) != "user":
        return None
    return step.__code__.co_filename, step.__code__.co_firstlineno
