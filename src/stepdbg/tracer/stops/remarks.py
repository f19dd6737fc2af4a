"""What a reader of a stop must know beyond its effects: why nothing moved, and what looks like a mistake.

A reason is given only where it is certain; a suspicion only where there is something to see. Both are a few words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch

from stepdbg.protocol.messages import CANNOT_BE_READ, NOT_KNOWN_BEFORE, NOT_LISTED, Boundary, Effect
from stepdbg.tracer.effects.fingerprints import fingerprint, small_bytes
from stepdbg.tracer.introspect.layout import groups_of, in_training, modules_of, optimized_by, parameters_in
from stepdbg.tracer.objects.other_threads import gradient, gradients
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.autograd_nodes import walked
from stepdbg.tracer.tensors.readable import Unreadable, is_part, local

_LOOKED = 4096
"""Gradients of so many parameters are looked at to say why these did not move."""
_MODES = 60
"""The number of modules in evaluation mode that are named at most."""


class Remarks:
    """What was found not to be finite, so far."""

    def __init__(self) -> None:
        self._unfit: dict[str, str] = {}
        """The parameters that held NaN or infinity when they were written last."""
        self._frozen: frozenset[str] = frozenset()
        """The parameters that were frozen at the stop before, if step was to come next."""
        self._frozen_then: tuple[int, frozenset[str]] | None = None
        """The parameters that were frozen, and the `Registry.lasting_version` of then."""

    def why(
        self,
        boundary: Boundary,
        effects: Sequence[Effect],
        optimizer: Any,
        registry: Registry,
        before: Collection[str],
    ) -> str:
        """Why the phase done has changed less than it is for; empty where that is not known.

        Args:
            boundary: Where training stands.
            effects: Of the phase done.
            optimizer: Whose step it was, where that is known.
            registry: What is alive.
            before: The names of what was alive before the phase.
        """
        if boundary.done == "backward":
            written = [one.object for one in effects if one.kind == "grad" and one.what != "freed"]
            return _freed_again(written, registry) if written else _cut_off(registry)
        if boundary.done == "step" and not boundary.skipped and optimizer is not None:
            return _unmoved(optimizer, effects, registry, before)
        if boundary.done == "zero_grad" and not any(one.kind == "grad" for one in effects):
            return _not_reached(registry)
        if boundary.done in ("clip", "unscale") and not any(one.kind == "grad" for one in effects):
            there = any(entry.kind == "grad" for entry in registry.alive.values())
            return "" if there else "no parameter has a gradient"
        return ""

    def suspicion(
        self, boundary: Boundary, effects: Sequence[Effect], registry: Registry, found: Collection[str]
    ) -> str:
        """A line on what looks like a mistake, the worst first; empty where nothing does.

        Args:
            boundary: Where training stands.
            effects: Of the phase done.
            registry: What is alive.
            found: The names of the rules that have found something here, which is said in its own words.
        """
        if self._unfit or any(effect.holds for effect in effects):
            for effect in effects:
                if effect.kind == "parameter" and effect.what != "freed":
                    self._unfit.pop(effect.object, None)
                    if effect.holds:
                        self._unfit[effect.object] = effect.holds
        was_frozen, self._frozen = self._frozen, self._frozen_now(registry) if boundary.next == "step" else frozenset()
        remarks = {
            "non-finite": self._not_finite(registry),
            "backward-without-graph": _without_graph(boundary, registry),
            "frozen-but-moving": _frozen_and_moved(boundary, effects, registry, was_frozen),
        }
        return "; ".join(words for rule, words in remarks.items() if words and rule not in found)

    def _frozen_now(self, registry: Registry) -> frozenset[str]:
        if self._frozen_then is None or self._frozen_then[0] != registry.lasting_version:
            self._frozen_then = (registry.lasting_version, _frozen(registry))
        return self._frozen_then[1]

    def _not_finite(self, registry: Registry) -> str:
        alive = registry.alive
        self._unfit = {name: holds for name, holds in self._unfit.items() if name in alive}
        if not self._unfit:
            return ""
        every = sum(entry.kind == "parameter" for entry in alive.values())
        what = "NaN" if "nan" in self._unfit.values() else "infinite"
        if len(self._unfit) == every:
            return f"all {every} parameters are {what}" if every > 1 else f"the parameter is {what}"
        return f"{len(self._unfit)} of {every} parameters {'is' if len(self._unfit) == 1 else 'are'} {what}"


def _freed_again(written: Sequence[str], registry: Registry) -> str:
    """How many of the gradients that backward wrote are gone: a hook of the script's has stepped with them."""
    gone = sum(name not in registry.alive for name in written)
    if not gone:
        return ""
    if gone < len(written):
        return f"{gone} of them {'was' if gone == 1 else 'were'} freed again before it ended"
    return f"{'it was' if gone == 1 else 'they were'} freed again before it ended"


def _cut_off(registry: Registry) -> str:
    """Why a backward has written no gradient."""
    loss = registry.newest.loss()
    if loss is None:
        return ""
    if loss.grad_fn is None:
        return "the loss has no graph (no operation made it), so it reaches no parameter"
    known = {id(entry.tensor) for entry in registry.alive.values() if entry.kind == "parameter"}
    leaves = walked([loss])[1]
    if known.isdisjoint(map(id, leaves)):
        written = any(grad is not None for grad in gradients(leaves))
        return NOT_LISTED if written else "the graph of the loss reaches no parameter"
    return ""


def _without_graph(boundary: Boundary, registry: Registry) -> str:
    near = boundary.done in ("loss", "backward") or boundary.next == "backward"
    loss = registry.newest.loss() if near else None
    if loss is None or loss.grad_fn is not None:
        return ""
    if any(entry.kind == "parameter" and entry.tensor is loss for entry in registry.alive.values()):
        return ""
    return "the loss has no graph: it reaches no parameter"


def _frozen(registry: Registry) -> frozenset[str]:
    return frozenset(
        name
        for name, entry in registry.alive.items()
        if entry.kind == "parameter" and entry.tensor is not None and not entry.tensor.requires_grad
    )


def _frozen_and_moved(boundary: Boundary, effects: Sequence[Effect], registry: Registry, frozen: frozenset[str]) -> str:
    """Frozen parameters go on moving where a gradient is left: momentum and weight decay do not ask for more."""
    if boundary.done != "step" or not frozen:
        return ""
    moved = [
        entry.tensor
        for effect in effects
        if effect.kind == "parameter"
        and effect.what == "changed"
        and not (effect.after or effect.before)
        and (entry := registry.alive.get(effect.object)) is not None
        and entry.tensor is not None
        and effect.object in frozen
    ]
    if not moved or any(gradient(parameter) is None for parameter in moved):
        return ""
    if len(moved) == 1:
        return "1 parameter is frozen, but the optimizer still moves it, because its .grad is not None"
    return f"{len(moved)} parameters are frozen, but the optimizer still moves them, because their .grad is not None"


def modes(registry: Registry) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Models and modules that are not in training mode.

    Returns:
        The models under training that are not in it as a whole, each with `eval` or `mixed`; and, of all models, what
        is in evaluation mode and lies in nothing that is.
    """
    optimized = registry.optimized
    models: list[tuple[str, str]] = []
    outermost: list[str] = []
    for name, model in registry.models():
        if not registry.module_tensors.may_evaluate(model):
            continue
        flags = {prefix: in_training(module) for prefix, module in modules_of(model)}
        if all(flags.values()) or not name:
            continue
        if any(id(parameter) in optimized for parameter in parameters_in(model)):
            models.append((name, "mixed" if any(flags.values()) else "eval"))
        outermost += [
            f"{name}.{prefix}"[:-1] if prefix else name
            for prefix, training in flags.items()
            if not training and (not prefix or flags.get(_outer(prefix), True))
        ]
    return tuple(models), tuple(outermost[:_MODES])


def _outer(prefix: str) -> str:
    """The prefix of the module that holds the one of this prefix: `a.b.` of `a.b.c.`."""
    return prefix[: prefix[:-1].rfind(".") + 1]


def _unmoved(optimizer: Any, effects: Sequence[Effect], registry: Registry, before: Collection[str]) -> str:
    """Why some of what an optimizer holds was not changed by its step."""
    moved = {
        one.object
        for one in effects
        if one.kind == "parameter" and one.what == "changed" and not (one.after or one.before)
    }
    if len(moved) >= sum(1 for _ in optimized_by(optimizer)):
        return ""
    names = {id(entry.tensor): name for name, entry in registry.alive.items() if entry.kind == "parameter"}
    still = [
        (parameter, group)
        for group in groups_of(optimizer)
        for parameter in group["params"]
        if (name := names.get(id(parameter))) is not None and name not in moved
    ]
    if not still or len(still) > _LOOKED:
        return ""
    if not moved and not any(names[id(parameter)] in before for parameter, _ in still):
        return NOT_KNOWN_BEFORE
    reasons = Counter(_reasons(still))
    if not all(reasons):
        return ""
    if "unread" in reasons:
        wrote = moved or any(one.kind == "parameter" for one in effects)
        return "" if wrote else CANNOT_BE_READ
    if len(reasons) == 1:
        (reason,) = reasons
        if moved:
            return _WORDS[reason][1]
        return _none_of_the_optimizer_s(reason, optimizer, registry) or _WORDS[reason][0]
    return ", ".join(f"{number} {_WORDS[reason][2]}" for reason, number in reasons.items())


_WORDS = {
    "lr": ("lr is 0", "their lr is 0", "with lr 0"),
    "none": ("no parameter has a gradient", "they have no gradient", "without gradient"),
    "frozen": ("all are frozen and have no gradient", "they are frozen", "frozen"),
    "zero": ("every gradient is 0", "their gradient is 0", "with gradient 0"),
    "nan": ("every element is NaN, and stays so", "they are NaN, and stay so", "NaN"),
}
"""Each reason where nothing has moved, of the rest where something has, and of one among several."""
_OF_THE_OPTIMIZER = {
    "none": "no parameter of the optimizer has a gradient",
    "frozen": "all that the optimizer holds are frozen and have no gradient",
    "zero": "every gradient of the optimizer's parameters is 0",
}
"""Each reason where nothing has moved, and where parameters that are not the optimizer's have gradients."""


def _none_of_the_optimizer_s(reason: str, optimizer: Any, registry: Registry) -> str:
    """Why nothing has moved where what is said of the optimizer's parameters does not hold of all; empty elsewhere."""
    if reason not in _OF_THE_OPTIMIZER:
        return ""
    own = set(map(id, optimized_by(optimizer)))
    beside = [name for name, parameter in _with_gradient(registry) if id(parameter) not in own]
    if not beside:
        return ""
    words = _OF_THE_OPTIMIZER[reason]
    in_none = all(id(registry.alive[name].tensor) not in registry.optimized for name in beside)
    if reason != "none" or not in_none:
        return words
    names = beside[0] if len(beside) == 1 else f"{beside[0]} and {len(beside) - 1} more"
    return f"{words}; {names} {'has' if len(beside) == 1 else 'have'} one and {_are(beside)} in no optimizer"


def _not_reached(registry: Registry) -> str:
    """What has a gradient after a zero_grad that found none."""
    left = len(_with_gradient(registry))
    have = "1 parameter has a gradient" if left == 1 else f"{left} parameters have gradients"
    return f"{have} that it does not reach" if left else ""


def _with_gradient(registry: Registry) -> list[tuple[str, torch.Tensor]]:
    """The parameters that have a gradient now, by name; none where there are too many to look at each."""
    known = [
        (name, entry.tensor)
        for name, entry in registry.alive.items()
        if entry.kind == "parameter" and entry.tensor is not None
    ]
    if len(known) > _LOOKED:
        return []
    found = gradients([parameter for _, parameter in known])
    return [each for each, grad in zip(known, found, strict=True) if grad is not None]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _reasons(still: Sequence[tuple[torch.Tensor, Any]]) -> Iterator[str]:
    for parameter, group in still:
        grad = gradient(parameter)
        if grad is None:
            yield "none" if parameter.requires_grad else "frozen"
        elif _is_zero(group.get("lr")):
            yield "lr"
        elif fingerprint(parameter) is None:
            yield "unread"
        elif _is_zero(grad):
            yield "zero"
        else:
            yield "nan" if _is_nan(parameter) else ""


def _is_nan(parameter: torch.Tensor) -> bool:
    """Whether every element of a parameter is NaN: a step that writes it anew writes the same."""
    try:
        return bool(torch.isnan(local(parameter)[0]).all())
    except (RuntimeError, NotImplementedError, Unreadable):
        return False


def _is_zero(value: Any) -> bool:
    """Whether a number is zero, or every element of a tensor."""
    if not isinstance(value, torch.Tensor):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.fabs(value) == 0
    if (data := small_bytes(value)) is not None and not any(data):
        return True
    try:  # a minus zero has a byte that is none
        return not is_part(value) and not bool(local(value)[0].any())
    except (RuntimeError, NotImplementedError, Unreadable):
        return False
