"""One sentence in plain English: what did the phase just done do, and to what?

This is where the names that the user's code never mentions come up: `backward` wrote the `.grad` of parameters, and
the model object was not called; `step` changed parameters, and the model was not mentioned either.
"""

from __future__ import annotations

from stepdbg.listing.effect_names import afterwards, beforehand, of_call
from stepdbg.protocol.messages import Effects, Failure, Stop
from stepdbg.tui.drawing.lines import UNICODE, Glyphs
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.words import inside_phase as inner
from stepdbg.tui.words import raised
from stepdbg.tui.words.effect_counts import FEW, PASSIVE, counted, everything, holder_of, listed, names_of, others
from stepdbg.tui.words.phase_done import NAMING, STILL_THERE, by_phase

_HELD = ("parameter", "buffer", "grad")
"""Kinds that a model holds, by whose name theirs begins."""


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
            so_far = everything(Effects(stop.effects.basis, counts, stop.effects.named))
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
    words = by_phase(done, stop, of_call(stop.effects), model, of)
    if of and done not in NAMING and words.startswith(done):
        words = f"{done} of `{of}`{words.removeprefix(done)}"
    if then := _earlier(stop, stop.effects) + _then(stop, stop.effects):
        words = words.removesuffix(STILL_THERE)  # it gives way to what is news
    return words + then + ending


def _at_end(effects: Effects | None) -> str:
    """The script has ended, and what it did last was no phase."""
    if effects is not None and effects.basis == "counters":
        return f"the script has ended. {since_the_last_stop(effects)}"
    counts = tuple(one for one in effects.counts if one.count and one.kind not in ("rng", "batch")) if effects else ()
    if effects is None or not counts:
        return "the script has ended"
    return f"the script has ended; before that, it {everything(Effects(effects.basis, counts, effects.named))}"


def _over(done: str, epoch: int, effects: Effects | None) -> str:
    """A phase that has found a loader with no batch left."""
    words = f"{done} found no batch left{f': epoch {epoch} is over' if epoch else ' in the loader'}"
    if effects is None:
        return words
    if effects.basis == "counters":
        return f"{words}. {since_the_last_stop(effects)}"
    return words + others(of_call(effects))


def since_the_last_stop(effects: Effects) -> str:
    """What has changed while several phases ran: none of them is its subject, since nobody looked in between."""
    when = "Since the last stop" + ("" if effects.since is None else f", at update {effects.since}")
    counts = [one for one in effects.counts if one.count > 0 and one.kind != "rng"]
    parts = [f"{listed(effects, one.kind, one.what)} {PASSIVE[one.what]}" for one in counts]
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
        return f"; until then {phase} had {everything(Effects(effects.basis, counts, effects.named))}"
    before = [record.effects for record in stop.previous if record.name == phase and record.effects is not None]
    usual = sum(one.count for one in before[-1].counts if one.kind == "grad" and one.what != "freed") if before else 0
    names = [name.removesuffix(".grad") for name in names_of(effects, "grad", "created", "changed", "touched")]
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
    return f"; before that, {whose} {everything(Effects(earlier.basis, counts, earlier.named))}"


def _then(stop: Stop, effects: Effects) -> str:
    """What came after the call had returned: the script's own doing, or that of the phase around it."""
    later, boundary = afterwards(effects), stop.boundary
    counts = [one for one in later.counts if one.count > 0 and one.kind not in ("rng", "batch", "output")]
    if not counts:
        return ""
    if boundary.inside:
        return f"; then {boundary.inside[-1]} {everything(Effects(later.basis, tuple(counts), later.named))}"
    first = of_call(effects)
    many = {one: listed(later, one.kind, one.what)[0].isdigit() and not later.left_out for one in counts}
    parts: dict[tuple[str, str, str], list[str]] = {}
    strange = set[tuple[str, str, str]]()
    for one in counts:
        words, names, holder = listed(later, one.kind, one.what), names_of(later, one.kind, one.what), ""
        if many[one]:
            mine = set(names_of(first, one.kind, "changed", "touched", "created"))
            words = words.replace(" ", " more ", 1) if mine and mine.isdisjoint(names) else words
        if many[one] and one.kind in _HELD:
            alike = [each for each in counts if many[each] and each.kind in _HELD and each.what == one.what]
            together = [name for each in alike for name in names_of(later, each.kind, each.what)]
            holder = holder_of(together) or holder_of(names)
        key = (PASSIVE[one.what], f" of {holder}" if holder else "", "" if holder else words)
        parts.setdefault(key, []).append(words)
        if (one.kind, one.what) == ("parameter", "changed") and later.beyond:
            strange.add(key)
    told = []
    for key, found in parts.items():
        whose = f"; `{later.beyond}` does not hold {_them(later, 'parameter', 'changed')}" if key in strange else ""
        told.append(f"{' and '.join(found)}{key[1]} {key[0]}{whose}")
    return f"; then, before {boundary.next or 'the end'}, {'; also '.join(told)}"


def _them(effects: Effects, kind: str, *what: str) -> str:
    return "it" if counted(effects, kind, *what) == 1 else "them"
