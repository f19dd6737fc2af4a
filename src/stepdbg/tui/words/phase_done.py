"""What a phase did, in words: the sentence of each phase that stepdbg knows, without what came before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from stepdbg.protocol.messages import CANNOT_BE_READ, NOT_KNOWN_BEFORE, NOT_LISTED, Effects, Stop
from stepdbg.tui.drawing.numbers import figure, plural
from stepdbg.tui.words.effect_counts import FEW, NOUNS, counted, everything, listed, names_of, others, unfit

STILL_THERE = "; the gradients are still there"
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""What torch's BatchNorm and InstanceNorm call their buffers."""
NAMING = ("forward", "eval", "loss", "backward")
"""Phases whose sentence says by itself whose they are."""


def by_phase(done: str, stop: Stop, effects: Effects, model: str, of: str) -> str:
    """What the phase done did.

    Args:
        done: The phase.
        stop: Where training waits.
        effects: What the phase's own call did.
        model: What the user calls the model, where that is known.
        of: The model or optimizer whose phase it was; empty where that is not known.
    """
    if done == "backward":
        return _backward(stop, effects)
    if done == "zero_grad":
        return _zero_grad(effects)
    if done in ("forward", "eval"):
        changed = (one.object.split(".")[0] for one in effects.named if one.kind in ("buffer", "parameter"))
        words = f"{done} called `{name}`" if (name := of or next(changed, model)) else f"{done} called the model"
        if stop.evaluations > 1:
            return _forward(f"{stop.evaluations} evaluations ran", effects, it="they")
        return _forward(words, effects)
    if done == "step":
        return _step(effects)
    if done == "data":
        batch = listed(effects, "batch", "created", "changed")
        if counted(effects, "batch", "created", "changed"):
            return f"data fetched the next batch: {batch}{others(effects, 'batch', 'rng')}"
    if done == "loss" and counted(effects, "loss", "created", "changed"):
        number = stop.boundary.loss
        value = "" if number is None else f" = {figure(number)}"
        shown = number is not None and not isfinite(number)  # the figure says it; of the others there is a word
        several = counted(effects, "loss", "created", "changed") > 1
        if not shown or several:
            value += unfit(effects, "loss", "created", "changed").replace("of them", "of the losses", 1)
        main = stop.loss_name
        if main is None:  # backward may be called on any of them
            made = f"{listed(effects, 'loss', 'created', 'changed')}{unfit(effects, 'loss', 'created', 'changed')}"
            return f"loss computed {made}{others(effects, 'loss')}"
        beside = [name for name in names_of(effects, "loss", "created", "changed") if name != main]
        more = f"; it also computed {' and '.join(beside)}" if 0 < len(beside) <= FEW else ""
        return f"loss computed `{main}`{value} from the output{more}{others(effects, 'loss')}"
    if done == "loss":  # what has changed all the same, nobody's loss has
        lasting = tuple(one for one in effects.counts if one.count and one.kind not in ("rng", "batch", "output"))
        besides = f"; the script {everything(Effects(effects.basis, lasting, effects.named))}" if lasting else ""
        return f"loss made nothing that a variable in sight holds{besides}"
    if done in ("clip", "unscale") and effects.why:
        return f"{done} found nothing to change: {effects.why}{others(effects)}"
    return f"{done} {everything(effects)}"


def _backward(stop: Stop, effects: Effects) -> str:
    written = counted(effects, "grad", "created", "changed", "touched")
    if not written:
        why = f": {effects.why}" if effects.why else ""
        if stop.walked_from == "":
            return f"backward took a derivative, of no loss, and wrote no .grad{others(effects, 'grad')}"
        wrote = "gradients" if effects.why == NOT_LISTED else "no gradient"
        return f"backward wrote {wrote}{why}{others(effects, 'grad')}"
    added = counted(effects, "grad", "changed", "touched")
    if not added:
        did = f"wrote the .grad of {_whose(effects, written, 'created')}"
    elif added == written:
        did = f"added to the .grad of {_whose(effects, written, 'changed', 'touched')}"
    else:
        made = _whose(effects, written - added, "created")
        did = f"wrote the .grad of {made} and added to that of {_whose(effects, added, 'changed', 'touched')}"
    loss = stop.walked_from or stop.loss_name or "the loss"
    walked = f"backward walked the graph from `{loss}` and {did}"
    walked += unfit(effects, "grad", "created", "changed", "touched")
    walked += f"; {effects.why}" if effects.why else ""
    has_model = any(record.name in ("forward", "eval") for record in (*stop.phases, *stop.previous))
    return walked + (others(effects, "grad") or ("; the model object was not called" if has_model else ""))


def _whose(effects: Effects, count: int, *what: str) -> str:
    """The parameters, so many, whose gradients were treated so: by name where they are few."""
    names = names_of(effects, "grad", *what)
    if count <= FEW and len(names) == count:
        return ", ".join(name.removesuffix(".grad") for name in names)
    return plural(count, "parameter")


def _zero_grad(effects: Effects) -> str:
    freed = counted(effects, "grad", "freed")
    zeroed = counted(effects, "grad", "changed", "touched")
    if not freed and not zeroed:
        elsewhere = f"; {effects.why}" if effects.why else ""
        return f"zero_grad found no gradients to clear{elsewhere}{others(effects, 'grad')}"
    parts = []
    if freed:
        parts.append(f"freed the gradients of {plural(freed, 'parameter')}")
    if zeroed:
        parts.append(f"set the gradients of {plural(zeroed, 'parameter')} to zero")
    return f"zero_grad {' and '.join(parts)}{others(effects, 'grad')}"


def _forward(words: str, effects: Effects, it: str = "it") -> str:
    outputs = listed(effects, "output", "created", "changed")
    if counted(effects, "output", "created", "changed"):
        words += f": {outputs} came out{unfit(effects, 'output', 'created', 'changed')}"
    buffers = counted(effects, "buffer", "changed")
    if buffers:
        of_norms = _of_norms(names_of(effects, "buffer", "changed"), buffers)
        words += f"; {it} changed {plural(buffers, 'buffer')}{of_norms}"
        words += unfit(effects, "buffer", "changed")
    if counted(effects, "parameter", "changed"):
        words += f"; {it} changed {listed(effects, 'parameter', 'changed')}"
    elif buffers:
        words += ", no parameter"
    else:
        words += f"; {it} changed nothing of the model"
    return words


def _of_norms(names: Sequence[str], number: int) -> str:
    """Whether buffers of these names, of that many in all, are those that a norm layer keeps of what it has seen."""
    statistics = [name for name in names if name.endswith(_STATISTICS)]
    if len(statistics) == number:
        return " (running statistics of norm layers)"
    return " (running statistics of norm layers among them)" if statistics else ""


def _step(effects: Effects) -> str:
    parts = []
    if counted(effects, "parameter", "changed"):
        moved = listed(effects, "parameter", "changed") + unfit(effects, "parameter", "changed")
        parts.append(f"changed {moved}{_still(effects)}")
    elif counted(effects, "parameter", "touched"):
        parts.append(
            f"wrote {listed(effects, 'parameter', 'touched')}, the same values"
            f"{unfit(effects, 'parameter', 'touched')}{_because(effects)}"
        )
    elif effects.why and counted(effects, "state", "created", "changed"):
        parts.append(f"{_no_parameter(effects)}{_because(effects)}")
    if created := counted(effects, "state", "created"):
        parts.append(f"created {plural(created, *NOUNS['state'])}")
    if changed := counted(effects, "state", "changed"):
        parts.append(f"updated {plural(changed, *NOUNS['state'])}")
    if not parts:
        return f"step {_no_parameter(effects)}{_because(effects)}{others(effects, 'parameter', 'state')}"
    still = STILL_THERE if len(parts) < 3 and not effects.without_gradients else ""
    rest = others(effects, "parameter", "state") or still
    joint = "; it " if _because(effects) and not counted(effects, "parameter", "changed") else " and "
    joint = ", and " if unfit(effects, "parameter", "changed", "touched") and joint == " and " else joint
    return f"step {joint.join([parts[0], ' and '.join(parts[1:])]) if len(parts) > 1 else parts[0]}{rest}"


def _no_parameter(effects: Effects) -> str:
    unknown = effects.why in (CANNOT_BE_READ, NOT_KNOWN_BEFORE, NOT_LISTED)
    return "may have changed parameters" if unknown else "changed no parameter"


def _because(effects: Effects) -> str:
    return f": {effects.why}" if effects.why else ""


def _still(effects: Effects) -> str:
    """What a step has not moved beside what it has, and why."""
    touched = counted(effects, "parameter", "touched")
    if not touched:
        return ""
    return f", and wrote the same values into {plural(touched, 'other')}{f' ({effects.why})' if effects.why else ''}"
