"""One sentence in plain English: what did the phase just done do, and to what?

This is where the names that the user's code never mentions come up: `backward` wrote the `.grad` of parameters, and
the model object was not called; `step` changed parameters, and the model was not mentioned either.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from math import isfinite

from stepdbg.listing.effect_names import afterwards, beforehand, of_call
from stepdbg.protocol.messages import CANNOT_BE_READ, NOT_KNOWN_BEFORE, NOT_LISTED, Effects, Failure, Stop
from stepdbg.tui.drawing.lines import UNICODE, Glyphs
from stepdbg.tui.drawing.numbers import figure, plural
from stepdbg.tui.words import inside_phase as inner
from stepdbg.tui.words import raised

FEW = 3
"""The most names that are spelled out."""
_STILL_THERE = "; the gradients are still there"
NOUNS = {
    "parameter": ("parameter", "parameters"),
    "grad": ("gradient", "gradients"),
    "buffer": ("buffer", "buffers"),
    "state": ("entry of optimizer state", "entries of optimizer state"),
    "hyperparameter": ("hyperparameter", "hyperparameters"),
    "loss": ("loss", "losses"),
    "output": ("output", "outputs"),
    "batch": ("tensor of the batch", "tensors of the batch"),
    "rng": ("random state", "random states"),
}
_HELD = ("parameter", "buffer", "grad")
"""Kinds that a model holds, by whose name theirs begins."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""What torch's BatchNorm and InstanceNorm call their buffers."""
_PASSIVE = {"changed": "changed", "touched": "written with the same values", "created": "new", "freed": "freed"}
_VERBS = {"changed": "changed", "touched": "wrote the same values into", "created": "created", "freed": "freed"}


def sentence(stop: Stop, model: str = "", next_key: str = "n", glyphs: Glyphs = UNICODE, *, brief: bool = False) -> str:
    """What the phase done did, in words; an exception comes before all else.

    Args:
        stop: Where training waits.
        model: What the user calls the model, where that is known.
        next_key: The key that runs the next phase.
        glyphs: The characters to write with.
        brief: Of an exception's own words, only the first.
    """
    boundary = stop.boundary
    done = boundary.done
    if stop.reason == "exception" and stop.failure:
        return raised.sentence(stop, stop.failure, glyphs, brief=brief) + _until_then(stop)
    if stop.inner is not None:
        return inner.sentence(stop, glyphs)
    if done is None:
        if boundary.inside:
            words = f"inside {' > '.join(boundary.inside)}; {boundary.next or 'the end'} comes next"
            counts = tuple(one for one in stop.effects.counts if one.kind != "rng") if stop.effects is not None else ()
            if stop.effects is None or not counts:
                return words
            so_far = _everything(Effects(stop.effects.basis, counts, stop.effects.named))
            return f"{words}; so far {boundary.inside[-1]} {so_far}"
        if boundary.next is None:
            return _at_end(stop.effects)
        return f"nothing is done yet; {boundary.next} comes first. Press {next_key} to run it and see what it changes"
    if boundary.skipped:
        return f"{done} was skipped: the gradients were not finite, and nothing changed"
    ending = "; the script has ended" if boundary.next is None and stop.reason == "exit" else ""
    if boundary.over is not None:
        return _over(done, boundary.over, stop.effects) + (_then(stop, stop.effects) if stop.effects else "") + ending
    if stop.effects is None:
        return f"{done} is done; what it changed was not recorded, since nothing was looked at before it"
    if stop.effects.basis == "counters":
        return f"{done} is done. {since_the_last_stop(stop.effects)}{ending}"
    of = stop.phases[-1].of if stop.phases and stop.phases[-1].name == done else stop.done_of
    words = _by_phase(done, stop, of_call(stop.effects), model, of)
    if of and done not in _NAMING and words.startswith(done):
        words = f"{done} of `{of}`{words.removeprefix(done)}"
    if then := _earlier(stop, stop.effects) + _then(stop, stop.effects):
        words = words.removesuffix(_STILL_THERE)  # it gives way to what is news
    return words + then + ending


def _at_end(effects: Effects | None) -> str:
    """The script has ended, and what it did last was no phase."""
    if effects is not None and effects.basis == "counters":
        return f"the script has ended. {since_the_last_stop(effects)}"
    counts = tuple(one for one in effects.counts if one.count and one.kind not in ("rng", "batch")) if effects else ()
    if effects is None or not counts:
        return "the script has ended"
    return f"the script has ended; before that, it {_everything(Effects(effects.basis, counts, effects.named))}"


def _over(done: str, epoch: int, effects: Effects | None) -> str:
    """A phase that has found a loader with no batch left."""
    words = f"{done} found no batch left{f': epoch {epoch} is over' if epoch else ' in the loader'}"
    if effects is None:
        return words
    if effects.basis == "counters":
        return f"{words}. {since_the_last_stop(effects)}"
    return words + _others(of_call(effects))


def since_the_last_stop(effects: Effects) -> str:
    """What has changed while several phases ran: none of them is its subject, since nobody looked in between."""
    when = "Since the last stop" + ("" if effects.since is None else f", at update {effects.since}")
    counts = [one for one in effects.counts if one.count > 0 and one.kind != "rng"]
    parts = [f"{_listed(effects, one.kind, one.what)} {_PASSIVE[one.what]}" for one in counts]
    if not parts and effects.why:
        return f"{when}: {effects.why}"
    if not parts:
        return f"{when}, nothing was seen to change (which phase did what was not recorded)"
    return f"{when}: {', '.join(parts)}; which phase did it was not recorded"


def _until_then(stop: Stop) -> str:
    """What the phase that an exception has left had done before; empty where that is nothing, or not known."""
    if stop.effects is None or stop.effects.basis != "fingerprint" or not stop.boundary.inside:
        return _gradients_there(stop.failure)
    phase, effects = stop.boundary.inside[-1], of_call(stop.effects)
    if phase == "loss":  # no call: whatever the user's own lines have done since the forward
        return ""
    counts = tuple(one for one in effects.counts if one.count and one.kind not in ("rng", "batch"))
    if not counts:
        return f"; until then {phase} had changed nothing"
    if phase != "backward" or not (written := counted(effects, "grad", "created", "changed", "touched")):
        return f"; until then {phase} had {_everything(Effects(effects.basis, counts, effects.named))}"
    before = [record.effects for record in stop.previous if record.name == phase and record.effects is not None]
    usual = sum(one.count for one in before[-1].counts if one.kind == "grad" and one.what != "freed") if before else 0
    names = [name.removesuffix(".grad") for name in _names(effects, "grad", "created", "changed", "touched")]
    whose = f" ({', '.join(names)})" if len(names) == written <= FEW else ""
    of = f" of {usual}" if usual > written else ""
    return f"; until then backward had written {written}{of} gradients{whose}"


def _gradients_there(failure: Failure | None) -> str:
    """The gradients that there are, where nobody looked before backward wrote some of them."""
    there, trained = failure.with_grad_of if failure is not None else (0, 0)
    if failure is None or not trained:
        return ""
    names = f" ({', '.join(failure.with_grad)})" if 0 < there == len(failure.with_grad) else ""
    return f"; {there} of {plural(trained, 'parameter')} {'has' if there == 1 else 'have'} a .grad now{names}"


def _earlier(stop: Stop, effects: Effects) -> str:
    """What had come since the boundary before when the call began: the script's own doing, or the phase's around it."""
    earlier = beforehand(effects)
    counts = tuple(one for one in earlier.counts if one.count > 0 and one.kind not in ("rng", "batch", "output"))
    if not counts:
        return ""
    whose = stop.boundary.inside[-1] if stop.boundary.inside else "the script"
    return f"; before that, {whose} {_everything(Effects(earlier.basis, counts, earlier.named))}"


def _then(stop: Stop, effects: Effects) -> str:
    """What came after the call had returned: the script's own doing, or that of the phase around it."""
    later, boundary = afterwards(effects), stop.boundary
    counts = [one for one in later.counts if one.count > 0 and one.kind not in ("rng", "batch", "output")]
    if not counts:
        return ""
    if boundary.inside:
        return f"; then {boundary.inside[-1]} {_everything(Effects(later.basis, tuple(counts), later.named))}"
    first = of_call(effects)
    many = {one: _listed(later, one.kind, one.what)[0].isdigit() and not later.left_out for one in counts}
    parts: dict[tuple[str, str, str], list[str]] = {}
    strange = set[tuple[str, str, str]]()
    for one in counts:
        words, names, holder = _listed(later, one.kind, one.what), _names(later, one.kind, one.what), ""
        if many[one]:
            mine = set(_names(first, one.kind, "changed", "touched", "created"))
            words = words.replace(" ", " more ", 1) if mine and mine.isdisjoint(names) else words
        if many[one] and one.kind in _HELD:
            alike = [each for each in counts if many[each] and each.kind in _HELD and each.what == one.what]
            together = [name for each in alike for name in _names(later, each.kind, each.what)]
            holder = _holder(together) or _holder(names)
        key = (_PASSIVE[one.what], f" of {holder}" if holder else "", "" if holder else words)
        parts.setdefault(key, []).append(words)
        if (one.kind, one.what) == ("parameter", "changed") and later.beyond:
            strange.add(key)
    told = []
    for key, listed in parts.items():
        whose = f"; `{later.beyond}` does not hold {_them(later, 'parameter', 'changed')}" if key in strange else ""
        told.append(f"{' and '.join(listed)}{key[1]} {key[0]}{whose}")
    return f"; then, before {boundary.next or 'the end'}, {'; also '.join(told)}"


def _them(effects: Effects, kind: str, *what: str) -> str:
    return "it" if counted(effects, kind, *what) == 1 else "them"


def _holder(names: list[str]) -> str:
    """What holds all of these: what their names begin with, up to a dot; empty where they have nothing in common."""
    paths = [name.removesuffix(".grad").split(".")[:-1] for name in names]
    common = takewhile(lambda words: len(set(words)) == 1, zip(*paths, strict=False))
    return ".".join(words[0] for words in common)


def counted(effects: Effects, kind: str, *what: str) -> int:
    """How many objects of that kind met one of these fates."""
    return sum(one.count for one in effects.counts if one.kind == kind and one.what in what)


def unfit(effects: Effects, kind: str, *what: str) -> str:
    """`, 4 of them NaN`: what of those is not finite; empty where all is."""
    counts = [one for one in effects.counts if one.kind == kind and one.what in what]
    total = sum(one.count for one in counts)
    found = [(sum(one.nan for one in counts), "NaN"), (sum(one.infinite for one in counts), "infinite")]
    parts = [f"{number} of them {word}" if total > 1 else f"which is {word}" for number, word in found if number]
    return f", {' and '.join(parts)}" if parts else ""


def _names(effects: Effects, kind: str, *what: str) -> list[str]:
    return [one.object for one in effects.named if one.kind == kind and one.what in what]


def _listed(effects: Effects, kind: str, *what: str) -> str:
    """`8 parameters`, or their names when they are few."""
    number = counted(effects, kind, *what)
    names = _names(effects, kind, *what)
    if 0 < number <= FEW and len(names) == number:
        return names[0] if number == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return plural(number, *NOUNS[kind])


_NAMING = ("forward", "eval", "loss", "backward")
"""Phases whose sentence says by itself whose they are."""


def _by_phase(done: str, stop: Stop, effects: Effects, model: str, of: str) -> str:
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
        batch = _listed(effects, "batch", "created", "changed")
        if counted(effects, "batch", "created", "changed"):
            return f"data fetched the next batch: {batch}{_others(effects, 'batch', 'rng')}"
    if done == "loss" and counted(effects, "loss", "created", "changed"):
        number = stop.boundary.loss
        value = "" if number is None else f" = {figure(number)}"
        shown = number is not None and not isfinite(number)  # the figure says it; of the others there is a word
        several = counted(effects, "loss", "created", "changed") > 1
        if not shown or several:
            value += unfit(effects, "loss", "created", "changed").replace("of them", "of the losses", 1)
        main = stop.loss_name
        if main is None:  # backward may be called on any of them
            made = f"{_listed(effects, 'loss', 'created', 'changed')}{unfit(effects, 'loss', 'created', 'changed')}"
            return f"loss computed {made}{_others(effects, 'loss')}"
        beside = [name for name in _names(effects, "loss", "created", "changed") if name != main]
        others = f"; it also computed {' and '.join(beside)}" if 0 < len(beside) <= FEW else ""
        return f"loss computed `{main}`{value} from the output{others}{_others(effects, 'loss')}"
    if done == "loss" and all(one.kind in ("rng", "batch", "output") for one in effects.counts if one.count):
        return "loss made nothing that a variable in sight holds"
    if done in ("clip", "unscale") and effects.why:
        return f"{done} found nothing to change: {effects.why}{_others(effects)}"
    return f"{done} {_everything(effects)}"


def _backward(stop: Stop, effects: Effects) -> str:
    written = counted(effects, "grad", "created", "changed", "touched")
    if not written:
        why = f": {effects.why}" if effects.why else ""
        if stop.walked_from == "":
            return f"backward took a derivative, of no loss, and wrote no .grad{_others(effects, 'grad')}"
        wrote = "gradients" if effects.why == NOT_LISTED else "no gradient"
        return f"backward wrote {wrote}{why}{_others(effects, 'grad')}"
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
    return walked + (_others(effects, "grad") or "; the model object was not called")


def _whose(effects: Effects, count: int, *what: str) -> str:
    """The parameters, so many, whose gradients were treated so: by name where they are few."""
    names = _names(effects, "grad", *what)
    if count <= FEW and len(names) == count:
        return ", ".join(name.removesuffix(".grad") for name in names)
    return plural(count, "parameter")


def _zero_grad(effects: Effects) -> str:
    freed = counted(effects, "grad", "freed")
    zeroed = counted(effects, "grad", "changed", "touched")
    if not freed and not zeroed:
        elsewhere = f"; {effects.why}" if effects.why else ""
        return f"zero_grad found no gradients to clear{elsewhere}{_others(effects, 'grad')}"
    parts = []
    if freed:
        parts.append(f"freed the gradients of {plural(freed, 'parameter')}")
    if zeroed:
        parts.append(f"set the gradients of {plural(zeroed, 'parameter')} to zero")
    return f"zero_grad {' and '.join(parts)}{_others(effects, 'grad')}"


def _forward(words: str, effects: Effects, it: str = "it") -> str:
    outputs = _listed(effects, "output", "created", "changed")
    if counted(effects, "output", "created", "changed"):
        words += f": {outputs} came out{unfit(effects, 'output', 'created', 'changed')}"
    buffers = counted(effects, "buffer", "changed")
    if buffers:
        words += f"; {it} changed {plural(buffers, 'buffer')}{_of_norms(_names(effects, 'buffer', 'changed'), buffers)}"
        words += unfit(effects, "buffer", "changed")
    if counted(effects, "parameter", "changed"):
        words += f"; {it} changed {_listed(effects, 'parameter', 'changed')}"
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
        moved = _listed(effects, "parameter", "changed") + unfit(effects, "parameter", "changed")
        parts.append(f"changed {moved}{_still(effects)}")
    elif counted(effects, "parameter", "touched"):
        parts.append(
            f"wrote {_listed(effects, 'parameter', 'touched')}, the same values"
            f"{unfit(effects, 'parameter', 'touched')}{_because(effects)}"
        )
    elif effects.why and counted(effects, "state", "created", "changed"):
        parts.append(f"{_no_parameter(effects)}{_because(effects)}")
    if created := counted(effects, "state", "created"):
        parts.append(f"created {plural(created, *NOUNS['state'])}")
    if changed := counted(effects, "state", "changed"):
        parts.append(f"updated {plural(changed, *NOUNS['state'])}")
    if not parts:
        return f"step {_no_parameter(effects)}{_because(effects)}{_others(effects, 'parameter', 'state')}"
    still = _STILL_THERE if len(parts) < 3 and not effects.without_gradients else ""
    rest = _others(effects, "parameter", "state") or still
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


def _others(effects: Effects, *known: str) -> str:
    """What a phase did beyond what it is for; random states alone are not worth a word."""
    rest = tuple(one for one in effects.counts if one.kind not in (*known, "rng", "output", "batch", "loss"))
    return f"; it also {_everything(Effects(effects.basis, rest, effects.named))}" if rest else ""


def _everything(effects: Effects) -> str:
    parts = [
        f"{_VERBS[one.what]} {_listed(effects, one.kind, one.what)}{unfit(effects, one.kind, one.what)}"
        for one in effects.counts
        if one.count > 0
    ]
    return ", ".join(parts) if parts else "changed nothing that stepdbg watches"
