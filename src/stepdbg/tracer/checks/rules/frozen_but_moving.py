"""What is frozen still changes: a step moves a parameter that requires no gradient (by weight decay, momentum, or a
gradient that is left), or the running statistics of a frozen batch normalisation learn.

Told is what the optimizer itself holds (a hook of its step may move an average of the weights), where it steps others
with the gradients of a backward: an evolution strategy estimates all gradients itself. Of statistics it is told where
all parameters around them are frozen and no backward has ever reached them: what a GAN freezes for one of its two steps
is trained in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.modes import normalises_by_batch
from stepdbg.tracer.checks.moment import Moment, at, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import groups_of, in_training, modules_of, parameters_in, parameters_of_group
from stepdbg.tracer.introspect.plain import number_of

_PULLS = ("weight_decay", "momentum", "betas")
_SURE = 2
"""Updates after which a parameter that no backward has reached is taken to be frozen for good."""


class FrozenButMoving(Rule):
    """The rule `frozen-but-moving`."""

    name = "frozen-but-moving"

    def __init__(self) -> None:
        self._frozen = self._moving = False
        self._before: set[str] = set()
        """The parameters that were frozen before the step."""
        self._written: set[str] = set()
        """The parameters that have changed: those without gradients are averages of others, and not frozen."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._written |= {one.object for one in moment.effects if one.kind == "parameter" and one.what == "changed"}
        if moment.done == "step":
            yield from self._of_step(moment)
        elif moment.done == "forward" and moment.model is not None and moment.updates >= _SURE:
            yield from self._of_forward(moment, *moment.model)
        if moment.comes == "step":
            self._before = {name for name, tensor in moment.parameters.items() if not tensor.requires_grad}

    def _of_step(self, moment: Moment) -> Iterator[Finding]:
        frozen = self._before & {name for name, tensor in moment.parameters.items() if not tensor.requires_grad}
        self._frozen = self._frozen or bool(frozen)
        moved = [one.object for one in moment.by_call if one.kind == "parameter" and one.what == "changed"]
        moved = [name for name in moved if name in frozen]
        if not moved or moment.optimizer is None:
            return
        held = set(moment.held_by(moment.optimizer[1]))
        moved = [one for one in moved if one in held and one in moment.reached]  # others the script has averaged itself
        if not moved or held.isdisjoint(moment.reached):
            return
        self._moving = True
        name, optimizer = moment.optimizer
        left = sum(moment.gradient_of(one) is not None for one in moved)
        pulls = _pulls(optimizer, {id(moment.parameters[one]) for one in moved})
        yield self.finding(
            moment,
            f"{some(moved)} {'are' if len(moved) > 1 else 'is'} frozen, and {name} still moves "
            f"{'them' if len(moved) > 1 else 'it'}",
            objects=moved,
            place=moment.place,
            evidence=f"{len(moved)} parameters with requires_grad False changed in the step; {left} of them still have "
            f"a .grad{f'; their groups have {pulls}' if pulls else ''}",
            cause=f"{some(moved)} {'were' if len(moved) > 1 else 'was'} frozen after backward had written "
            f"{'their' if len(moved) > 1 else 'its'} gradients, and zero_grad leaves zeros, which "
            f"{pulls or 'the optimizer'} turns into a step"
            if left
            else f"{name} steps what has no gradient",
            fix="set the gradients to None (zero_grad(set_to_none=True)), and take what is frozen out of the optimizer",
        )

    def _of_forward(self, moment: Moment, name: str, model: nn.Module) -> Iterator[Finding]:
        changed = {one.object for one in moment.by_call if one.kind == "buffer" and one.what == "changed"}
        if not changed:
            return
        names = moment.name_of
        moving = []
        for path, module in modules_of(model):
            if not (normalises_by_batch(module) and in_training(module) and f"{name}.{path}running_mean" in changed):
                continue
            own = [*parameters_in(module)]
            frozen = own and not any(one.requires_grad or names.get(id(one)) in moment.reached for one in own)
            averaged = any(names.get(id(one)) in self._written for one in own)
            if frozen and not averaged and _is_alone(model, path, moment):
                moving.append(f"{name}.{path}".rstrip("."))
        if moving:
            self._moving = True
            several = len(moving) > 1
            yield self.finding(
                moment,
                f"the running statistics of {some(moving)} change though {'they are' if several else 'it is'} frozen",
                objects=[f"{one}.running_mean" for one in moving],
                place=moment.place,
                evidence=f"{len(moving)} batch normalisation{'s' if several else ''} with frozen parameters in "
                f"training mode: running_mean changed in the forward of update {moment.update}",
                cause="requires_grad_(False) freezes parameters only; the statistics learn in training mode, at the "
                f"forward at {at(moment.place)}",
                fix=f"put what is frozen into evaluation mode after each train(): {moving[0]}.eval()",
                severity="warning",
            )

    def right(self) -> str:
        return "what is frozen stays as it is" if self._frozen and not self._moving else ""


def _is_alone(model: nn.Module, path: str, moment: Moment) -> bool:
    """Whether all parameters of the module around it are frozen too, and no backward has reached any."""
    holder = path.rstrip(".").rpartition(".")[0]
    around = next((one for at_, one in modules_of(model) if at_ == (f"{holder}." if holder else "")), model)
    names = moment.name_of
    return not any(one.requires_grad or names.get(id(one)) in moment.reached for one in parameters_in(around))


def _pulls(optimizer: object, moved: set[int]) -> str:
    """What in the groups of these parameters moves what has a gradient of zeros, in words."""
    found: dict[str, None] = {}
    for group in groups_of(optimizer):
        if any(id(one) in moved for one in parameters_of_group(group)):
            for key in _PULLS:
                value = group.get(key)
                if key == "betas" and type(value) is tuple:
                    found["betas"] = None
                elif number_of(value):
                    found[f"{key} {value:g}"] = None
    return " and ".join(found)
