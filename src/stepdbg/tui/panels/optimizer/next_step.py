"""What the next step would do to a parameter, taken apart, and whether the last one did as was foretold."""

from __future__ import annotations

from stepdbg.protocol.messages import Foresight, Kept, Move
from stepdbg.tui.drawing.lines import (
    NAME,
    Drawing,
    Frame,
    Line,
    Span,
    clipped,
    lesson,
    padded,
    plain,
    right,
    shortened_name,
    width_of,
    wrapped,
)
from stepdbg.tui.drawing.numbers import count, figure, plural
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot

FORESIGHT = Slot("foresight", Foresight, stale_after_edit=True)
"""What the next step would do to the parameter that was asked for."""
NAMES = {
    "gradient": "gradient", "momentum": "momentum", "decay": "weight decay", "clipping": "clipping",
    "total": "together",
}  # fmt: skip
_IN_WORDS = {"gradient": "the gradient", "momentum": "momentum", "decay": "weight decay", "clipping": "clipping"}
LABEL, NORM, SHARE, DIRECTION, HERE = 13, 9, 8, 7, 12
"""Cells of the columns."""
WORDED = 15
"""Cells of the direction where it is said in words as well."""
BAR = 16
"""Cells of the longest bar."""


def draw(snapshot: Snapshot, frame: Frame, name: str) -> Drawing:
    """The whole panel as the foresight for that parameter."""
    drawn = lines(snapshot, frame, name)
    fits = len(name) + 22 <= frame.width - 16 - (16 if len(drawn) > frame.height else 0)
    title: Line = (*([Span("what step would do to ")] if fits else []), Span(plain(name), NAME))
    return Drawing(title, (), drawn[frame.top : frame.top + frame.height], len(drawn))


def beneath(snapshot: Snapshot, frame: Frame, name: str, height: int) -> tuple[Line, ...]:
    """The same below the list of an optimizer panel that has the room, in at most so many lines."""
    words = f" what step would do to {shortened_name(plain(name), max(6, frame.width - 26), frame.glyphs.ellipsis)} "
    rule = Span(frame.glyphs.rule * max(0, frame.width - len(words)), "rule")
    drawn = lines(snapshot, frame, name)[: height - 1]
    return ((Span(words, "heading"), rule), *drawn, *([()] * (height - 1 - len(drawn))))


def belongs(known: Foresight, name: str) -> bool:
    """Whether that is the foresight for that parameter, or for the one of that gradient or state entry."""
    return name == known.object or name == f"{known.object}.grad" or f".state[{known.object}]" in name


def lines(snapshot: Snapshot, frame: Frame, name: str) -> tuple[Line, ...]:
    """Verdict on the last step, the parts of the next one, and what they mean, in as many lines as it takes."""
    known = snapshot.answer(FORESIGHT)
    if not name:
        key = snapshot.key("foresee")
        return lesson(f"No parameter is selected. Choose one of the list, or press {key} on one elsewhere.", frame)
    if known is None or not belongs(known, name):
        waiting = "not recorded: nobody asked for it at this stop" if snapshot.looking_back else "working it out"
        return lesson(snapshot.problem(FORESIGHT) or waiting, frame)
    if not known.further:
        return _told(snapshot, frame, known)
    every = (known, *known.further)
    drawn = _words(f"{len(every)} optimizers hold it; each step is told of by itself.", frame, "sentence")
    for one in every:
        drawn += [clipped((Span(plain(f" {one.optimizer} {one.cls}"), "strong"),), frame.width, frame.glyphs.ellipsis)]
        drawn += _told(snapshot, frame, one)
    return tuple(drawn)


def _told(snapshot: Snapshot, frame: Frame, known: Foresight) -> tuple[Line, ...]:
    """The lines on one optimizer: what came of the step before, and what its next one would do to the parameter."""
    drawn: list[Line] = []
    if known.kept is not None:
        drawn += _kept(known.kept, known, frame)
    if known.reached == "moved":
        said = "this step has moved it already; below: the step after it"
        drawn += _words(f"{frame.glyphs.done} {said}", frame, "effect")
    if known.total is None:
        return (*drawn, *_words(f"{known.why_not}.", frame, "sentence"))
    for remark in known.remarks:  # what is likely wrong comes before all figures
        drawn += _words(f"! {remark}", frame, "warning")
    drawn += _start(snapshot, known, frame)
    drawn += _table(known, known.total, frame)
    drawn += _words(" ".join(_sentences(known)), frame, "sentence")
    return tuple(drawn)


def _words(words: str, frame: Frame, role: str) -> list[Line]:
    """Words broken at the width, a little in from the edge."""
    broken = wrapped(plain(words), max(10, frame.width - 2), 8, frame.glyphs.ellipsis)
    return [(Span(f" {line}", role),) for line in broken]


def _start(snapshot: Snapshot, known: Foresight, frame: Frame) -> list[Line]:
    """When it holds, and the formula: beside it, or below where there is no room."""
    when, formula = _when(snapshot, known), known.formula
    together = (Span(f" {when}", "heading"), Span(f"   {formula}" if formula else "", "dim"))
    if width_of(together) < frame.width:
        return [together]
    lines: list[Line] = [(Span(f" {when}", "heading"),), (Span(f" {formula}", "dim"),)]
    return [clipped(line, frame.width, frame.glyphs.ellipsis) for line in lines]


def _when(snapshot: Snapshot, known: Foresight) -> str:
    stop = snapshot.stop
    if known.reached:
        return "another step with this gradient" if known.reached == "moved" else "this step is still to do this"
    if stop is not None and stop.boundary.next == "step" and stop.next_of in ("", known.optimizer):
        return "step comes next"
    if known.kept is not None:
        return "another step with this gradient"
    others = stop is not None and (stop.next_of or stop.boundary.inside[-1:] == ("step",))
    return f"if {known.optimizer} stepped now" if others else "if step came now"


# the table


def _table(known: Foresight, total: Move, frame: Frame) -> list[Line]:
    glyphs = frame.glyphs
    here = total.here is not None and frame.width >= LABEL + NORM + SHARE + DIRECTION + HERE
    spare = frame.width - LABEL - NORM - SHARE - DIRECTION - (HERE if here else 0) - 1
    worded = spare >= WORDED - DIRECTION
    if worded:
        spare -= WORDED - DIRECTION
    bar = min(BAR, spare - 2) if spare >= 8 else 0
    heading = f" {padded('', LABEL - 1)}{right('norm', NORM)}{right('share', SHARE)}"
    heading += right("direction  ", WORDED) if worded else right("cos", DIRECTION)
    if here and known.element is not None:
        where = f"[{', '.join(map(str, known.element))}]" if known.element else "the value"
        heading += right(where, HERE, glyphs.ellipsis)
    drawn: list[Line] = [(Span(heading, "heading"),)]
    parts = [move for move in known.moves if move.source != "clipping"]
    for move in (*parts, total, *(move for move in known.moves if move.source == "clipping")):
        whole, apart = move.source == "total", move.source == "clipping"
        label = NAMES[move.source] if not whole or known.moves else "the move"
        spans = [
            Span(f" {padded(label, LABEL - 1, glyphs.ellipsis)}", "strong" if whole else ""),
            Span(right(figure(move.norm), NORM), "number"),
            Span(right("" if apart else _percent(move.share), SHARE), "dim" if whole else "number"),
            Span(_direction(move, worded), "dim" if whole else "number"),
        ]
        if here:
            spans.append(Span(right(_signed(move.here), HERE), "number"))
        if bar and not whole and not apart and move.share is not None:
            full = max(1.0, *(abs(one.share or 0.0) for one in parts))
            cells = round(abs(move.share) / full * bar)
            spans.append(Span("  " + glyphs.bars[6] * cells, "effect" if move.share >= 0 else "warning"))
        drawn.append(tuple(spans))
    drawn.append(_size(known, total, frame))
    return [clipped(line, frame.width, glyphs.ellipsis) for line in drawn]


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    percent = share * 100
    if abs(percent) >= 9.5 or percent == 0:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if abs(percent) >= 0.05 else "0.0 %"


def _direction(move: Move, worded: bool) -> str:
    """The cosine, and what it means."""
    if move.source == "total" or move.cosine is None:
        return " " * (WORDED if worded else DIRECTION)
    word = "with" if move.cosine >= 0.5 else "against" if move.cosine <= -0.5 else "across"
    return right(f"{move.cosine:+.2f}" + (f" {word:<7}" if worded else ""), WORDED if worded else DIRECTION)


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return ("+" if value > 0 else "") + figure(value)


def _size(known: Foresight, total: Move, frame: Frame) -> Line:
    """How large the move is against the parameter, and what the one element becomes."""
    words = ""
    if known.norm:
        name = "Δ/‖w‖" if frame.glyphs.braille else "move/norm"
        words = f" {name} {figure(total.norm / known.norm)}"
    if total.here is not None and known.value is not None and known.element is not None:
        where = f"[{', '.join(map(str, known.element))}]" if known.element else "the value"
        becomes = f"{where}  {known.value:.6g} {frame.glyphs.becomes} "
        becomes += f"{known.value + total.here:.6g}"
        if len(words) + len(becomes) + 4 <= frame.width:
            return (Span(words, "dim"), Span(f"   {becomes}", "number"))
        return (Span(f" {becomes}", "number"),)
    return (Span(words, "dim"),)


# in words


def _sentences(known: Foresight) -> list[str]:
    found = []
    if known.clipping is not None:
        found.append(_clipped(known))
    if known.scale is not None:
        found.append(
            f"The gradient is still multiplied by {known.scale:g} (GradScaler, not unscaled yet); the figures here are "
            "without it."
        )
    parts = [move for move in known.moves if move.source != "clipping" and move.share is not None]
    pulls = sorted(parts, key=lambda move: -(move.share or 0))
    against = [move for move in pulls if (move.share or 0) < -0.01]
    if known.fresh:
        found.append(f"{known.cls} keeps nothing of this parameter yet: its running averages begin with this step.")
    elif len(pulls) > 1 and pulls[0].share is not None:
        words = f"{_IN_WORDS[pulls[0].source]} makes {_percent(pulls[0].share)} of the move"
        if (pulls[1].share or 0) >= 0.01:
            words += f", {_IN_WORDS[pulls[1].source]} {_percent(pulls[1].share)}"
        found.append(words[0].upper() + words[1:] + ".")
    if against:
        names = " and ".join(_IN_WORDS[move.source] for move in against)
        names = names[0].upper() + names[1:]
        found.append(f"{names} {'pulls' if len(against) == 1 else 'pull'} the other way.")
    if known.total is not None and known.total.norm == 0:
        found.append("Nothing would move.")
    return found


def _small_percent(share: float) -> str:
    """A share of which there is something left, however little."""
    return f"{share * 100:.2g} %" if 0 < share < 0.0005 else _percent(share)


def _clipped(known: Foresight) -> str:
    clip = known.clipping
    assert clip is not None
    limit = f"{clip.function}({clip.limit:g})"
    had = f"; all gradients together had {figure(clip.total)}" if clip.total is not None else ""
    if clip.factor is None:
        return f"{limit} ran in this update; how much it cut of this gradient is not known."
    if clip.factor >= 1 - 1e-6:
        return f"{limit} ran and cut nothing of this gradient{had}."
    words = f"{limit} has cut this gradient to {_small_percent(clip.factor)} of its norm{had}"
    if clip.without is not None and known.total is not None and known.total.norm > 0:
        words += f"; without it the move would be {clip.without / known.total.norm:.3g} times as large"
    return f"{words}."


def _kept(kept: Kept, known: Foresight, frame: Frame) -> list[Line]:
    """The verdict on the last step."""
    step = f"step {count(kept.steps)}"
    if kept.as_foretold:
        off = f"at most {figure(kept.deviation)} off, by rounding" if kept.deviation else "to the last bit"
        words = f"as foretold: {step} moved {plural(kept.compared, 'element')} as it was to, {off}"
        return _words(f"{frame.glyphs.done} {words}", frame, "effect")
    words = f"not as foretold: after {step} an element is off by {figure(kept.deviation)}"
    words += f" (the largest move was to be {figure(kept.largest)}); {plural(kept.compared, 'element')} compared"
    return _words(f"! {words}{'; ' + kept.remark if kept.remark else ''}", frame, "warning")
