"""The phase rail: the loop drawn as a loop, and under each phase what it did to which objects.

Which phases there are, `phases` says. The arrow stands before the one that comes next. Boxes that do not fit give way
around the one that is selected or next.
"""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint, EffectCount, Effects, Finding, Kind, PhaseRecord, Stop, What
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, cropped, padded, plain, shortened_name
from stepdbg.tui.drawing.numbers import milliseconds, plural
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget, PhaseTarget
from stepdbg.tui.top.phases import Box, boxes, next_box
from stepdbg.tui.words import inside_phase as inner
from stepdbg.tui.words.findings import faults, worst

RANKING = ("grad", "parameter", "buffer", "state", "loss", "output", "hyperparameter", "batch", "rng")
"""Which effect of a phase is told first."""
SHORT = {
    "parameter": "param", "grad": "grad", "buffer": "buffer", "state": "state entry", "hyperparameter": "setting",
    "loss": "loss", "output": "output", "batch": "tensor", "rng": "rng",
}  # fmt: skip
_NOTHING, _NOTHING_TALL = "nothing changed", ("nothing", "changed")
_MORE = {"loss": "losses", "state entry": "state entries"}
OWNER = 14
"""Cells for the name of the model or optimizer whose phase it is."""
HEIGHT = 4
"""Lines: the phases, two of effects, the times."""


def told(effects: Effects | None, phase: str) -> list[EffectCount]:
    """The effects of a phase, the most telling first; what came after its call comes last."""
    counts = [one for one in effects.counts if one.count and one.kind != "rng"] if effects else []
    counts = [one for one in counts if not (one.before or (one.after and one.kind in ("batch", "output")))]
    own = {"data": "batch", "loss": "loss", "forward": "output", "step": "parameter"}.get(phase)
    return sorted(counts, key=lambda one: (one.after, not (one.nan or one.infinite), one.kind != own, *_rank(one)))


def _rank(one: EffectCount) -> tuple[int, str]:
    return RANKING.index(one.kind), one.what


def verb(one: EffectCount, phase: str) -> str:
    """What happened to them, in the word that is used of that kind; what is not finite comes before all else."""
    if one.nan or one.infinite:
        number, word = (one.nan, "NaN") if one.nan else (one.infinite, "inf")
        return word if one.count == 1 else f"{'all' if number == one.count else number} {word}"
    if one.kind == "grad" and one.what != "freed" and not one.after:
        if phase == "zero_grad":
            return "zeroed"
        if one.what == "created":
            return "written"
        if phase == "backward":
            return "added to"
    return {"changed": "changed", "touched": "same value", "created": "new", "freed": "freed"}[one.what]


def noun(one: EffectCount) -> str:
    """`8 grads`; with a word before it where it came after the call of the phase."""
    name = SHORT[one.kind]
    return ("then " if one.after else "") + plural(one.count, name, _MORE.get(name, ""))


def _named(box: Box, room: int, glyphs: Glyphs) -> bool:
    """Whether the unit that training waits behind has room beside the name of the phase."""
    assert box.inner is not None
    return cell_len(f"{box.name}? {glyphs.inner} {inner.label(box.inner, glyphs)}") <= room


def _effect_lines(box: Box, tall: bool, glyphs: Glyphs, room: int = 1_000) -> tuple[str, str]:
    """Two lines on what the phase did; `tall` breaks the first effect over both, with a sign where there are more."""
    record = box.record
    if box.inner is not None:
        what, how = inner.on_the_rail(box.inner, glyphs)
        if _named(box, room, glyphs):
            return what, how
        return f"{glyphs.inner} {box.inner.name}", how if how and cell_len(how) <= room else what
    if record is None or box.when == "unknown":
        return "", ""
    if record.skipped:
        return "skipped", ""
    if record.effects is None:
        return ("not", "recorded") if tall else ("not recorded", "")
    effects = told(record.effects, box.name)
    if not effects:
        return _NOTHING_TALL if tall else (_NOTHING, "")
    first = effects[0]
    if tall:
        if len(effects) == 2 and effects[1].kind == first.kind:  # some made, some added to
            return tuple(f"{one.count} {verb(one, box.name)}" for one in effects)  # type: ignore[return-value]
        return noun(first), verb(first, box.name) + (glyphs.ellipsis if len(effects) > 1 else "")
    second = f"{noun(effects[1])} {verb(effects[1], box.name)}" if len(effects) > 1 else ""
    return f"{noun(first)} {verb(first, box.name)}", second


def _is_unfit(box: Box) -> bool:
    """Whether its phase wrote what is not finite."""
    effects = box.record.effects if box.record is not None else None
    return effects is not None and any(one.nan or one.infinite for one in effects.counts)


def _under(box: Box, first: str) -> str:
    """The role of what a phase did: an effect has its colour on every line, and what is no effect has not."""
    if box.when not in ("done", "inside") or box.inner is not None:
        return "faint" if box.inner is None else ""
    if _is_unfit(box):
        return "error"
    if box.record is not None and box.record.skipped:
        return "warning"
    nothing = box.record is None or box.record.effects is None or first in (_NOTHING, _NOTHING_TALL[0])
    return "dim" if nothing else "effect"


def _bracketed(box: Box, tall: bool, glyphs: Glyphs, room: int = 1_000) -> tuple[str, str]:
    """The lines on what a phase did; in brackets for one not done in this update: they are of the last.

    Where one is longer than the room, it ends with the word before; a figure is never cut.
    """
    first, second = _effect_lines(box, tall, glyphs, room)
    if box.inner is not None and first.startswith(f"{glyphs.inner} "):
        first = f"{glyphs.inner} {shortened_name(plain(first[2:]), max(1, room - 2), glyphs.ellipsis)}"
    first, second = (_fitting(words, room, glyphs) for words in (first, second))
    if not first or box.when not in ("next", "foretold"):
        return first, second
    if tall and second:
        return f"({first}", f"{second})"
    return f"({first})", second and f"({second})"


def _fitting(words: str, room: int, glyphs: Glyphs) -> str:
    """The first words of a text, as many as fit whole."""
    if cell_len(words) <= room:
        return words
    kept = words.split(" ")
    while len(kept) > 1 and cell_len(" ".join(kept)) + 1 > room:
        kept.pop()
    short = " ".join(kept) + glyphs.ellipsis
    return short if cell_len(short) <= room and not short[:-1].isdigit() else glyphs.ellipsis


def _label(box: Box, glyphs: Glyphs, room: int = 1_000) -> str:
    """The name of the phase; of one that is stopped inside of, where that is, as far as there is room."""
    nested = "> " if not glyphs.braille else "↳"
    name = (nested if box.depth else "") + box.name + ("?" if box.predicted else "")
    if box.inner is None or not _named(box, room, glyphs):
        return name
    return f"{name} {glyphs.inner} {inner.label(box.inner, glyphs)}"


def draw(
    snapshot: Snapshot, width: int, selected: int | None = None, focused: bool = False, glyphs: Glyphs = UNICODE
) -> tuple[Line, ...]:
    """The rail in `HEIGHT` lines.

    Args:
        snapshot: What is known.
        width: Cells.
        selected: The box that the rail's cursor is on, or None for the next phase.
        focused: Whether the cursor is to be seen.
        glyphs: The characters to draw with.
    """
    rail = boxes(snapshot)
    current = next_box(rail, snapshot)
    cursor = current if selected is None else min(selected, len(rail) - 1)
    room = width - 2
    usual = _usual(rail, snapshot.stop)
    for tall, tight in ((False, False), (True, False), (True, True)):
        columns = [_wide(box, each, tall, tight, glyphs) for box, each in zip(rail, usual, strict=True)]
        if sum(columns) <= room:
            break
    first, last = _window(columns, max(0, cursor), room - 8) if sum(columns) > room else (0, len(rail))
    spare = room - sum(columns[first:last]) - (8 if (first, last) != (0, len(rail)) else 0)
    share = min(6, max(0, spare) // max(1, last - first))
    marks = _marks(snapshot.session.breakpoints, glyphs)
    found = faults(snapshot)
    lines: list[list[Span]] = [[Span(" ")] for _ in range(HEIGHT)]
    if first < last and first == current:
        lines[0][0] = Span(glyphs.arrow, "accent")
    if first:
        lines[0].insert(0, Span(f"{glyphs.more_left} {first} ", "dim"))
        for line in lines[1:]:
            line.insert(0, Span(" " * len(lines[0][0].text)))
    for index in range(first, last):
        box = rail[index]
        _draw_box(
            lines, box, columns[index] + share, tall,
            mark=marks.get(box.name, ("", "")), arrow=index + 1 == current, last=index + 1 == len(rail),
            here=index == current, selected=focused and index == cursor, glyphs=glyphs,
            fault=worst([one for one in found if _is_about(one, box)]),
        )  # fmt: skip
    if last < len(rail):
        lines[0].append(Span(f"{len(rail) - last} {glyphs.more_right}", "dim"))
    return tuple(cropped(tuple(line), width) for line in lines)


def _is_about(finding: Finding, box: Box) -> bool:
    """Whether what a rule has found is about a phase as the box of that one shows it."""
    return finding.phase == box.name and (not finding.of or not box.of or finding.of == box.of)


def _marks(breakpoints: tuple[Breakpoint, ...], glyphs: Glyphs) -> dict[str, tuple[str, str]]:
    """The sign before and after each phase that has a breakpoint."""
    marks: dict[str, tuple[str, str]] = {}
    for one in breakpoints:
        if one.phase is None:
            continue
        before, after = marks.get(one.phase, ("", ""))
        sign = glyphs.breakpoint if one.enabled else glyphs.switched_off
        marks[one.phase] = (sign, after) if one.when == "before" else (before, sign)
    return marks


def _usual(rail: list[Box], stop: Stop | None) -> list[Box]:
    """Each phase as it is when it is not done yet: with what it did in the last update, else what such a phase does.

    The widths are taken from these, so that boxes keep their places from stop to stop, whatever is done by then.
    """
    previous = list(stop.previous) if stop is not None else []
    many = stop.census.parameters if stop is not None and stop.census is not None else 8
    found = []
    seen: dict[str, int] = {}
    for box in rail:
        same = [record for record in previous if record.name == box.name]
        number = seen[box.name] = seen.get(box.name, -1) + 1
        record = same[min(number, len(same) - 1)] if same else None
        if record is None or record.effects is None:
            record = PhaseRecord(box.name, 99.9, effects=_textbook(box.name, max(1, many)))
        found.append(Box(box.name, "foretold", record, True, box.depth, box.of or record.of))
    return found


def _textbook(phase: str, parameters: int) -> Effects:
    """What a phase of that name does in a loop that has not been seen yet."""
    counts: tuple[tuple[Kind, What, int], ...] = {
        "data": (("batch", "created", 2),),
        "zero_grad": (("grad", "freed", parameters),),
        "forward": (("output", "created", 1),),
        "loss": (("loss", "created", 1),),
        "backward": (("grad", "created", parameters),),
        "step": (("parameter", "changed", parameters), ("state", "created", 3 * parameters)),
        "scheduler": (("hyperparameter", "changed", 1),),
        "clip": (("grad", "changed", parameters),),
    }.get(phase, ())  # type: ignore[assignment]
    return Effects("fingerprint", tuple(EffectCount(*one) for one in counts))


def _wide(box: Box, usual: Box, tall: bool, tight: bool, glyphs: Glyphs) -> int:
    """Cells of a box, for its usual content, and for whose it is; with more room, for how long it took as well."""
    lines = [*_bracketed(usual, tall, glyphs), _foot(usual._replace(record=None), 0, glyphs)]
    lines += [] if tight else ["last time"]
    name = cell_len(_label(usual, glyphs)) + (2 if tight else 3 if tall else 4)
    return max(name, *(cell_len(words) + 2 for words in lines))


def _foot(box: Box, wide: int, glyphs: Glyphs) -> str:
    """The last line under a phase: whose it is where that must be told, how long it took where there is room."""
    time = milliseconds(box.record.ms) if box.record and (box.when == "done" or box.is_left) else ""
    if box.when in ("next", "foretold") and _effect_lines(box, False, glyphs)[0]:
        time = "last time"
    if not box.of:
        return time if not wide or cell_len(time) < wide else ""
    of = shortened_name(plain(box.of), OWNER, glyphs.ellipsis)
    return f"{of} {time}" if time and cell_len(of) + cell_len(time) + 2 <= wide else of


def _window(columns: list[int], keep: int, room: int) -> tuple[int, int]:
    """The page of boxes that fits and holds that one: pages stand still, so that boxes do not move at every stop.

    A page begins with the last box of the one before, so that what was done is seen beside what comes.
    """
    first = 0
    while True:
        last, used = first + 1, columns[first] if columns else 0
        while last < len(columns) and used + columns[last] <= room:
            used += columns[last]
            last += 1
        if last >= len(columns):
            while first > 0 and used + columns[first - 1] <= room:
                first -= 1
                used += columns[first]
            return first, last
        if keep < last:
            return first, last
        first = max(first + 1, last - 1)


def _draw_box(
    lines: list[list[Span]], box: Box, wide: int, tall: bool, *, mark: tuple[str, str], arrow: bool, last: bool,
    here: bool, selected: bool, glyphs: Glyphs, fault: str = "",
) -> None:  # fmt: skip
    target = PhaseTarget(box.name)
    role = "error" if box.is_left else "accent" if here else {"done": "", "unknown": "faint"}.get(box.when, "dim")
    label = _label(box, glyphs, wide - 2)
    top = lines[0]
    if mark[0]:
        top.append(Span(mark[0], "breakpoint", target))
    top.append(Span(label, "selected" if selected else role, target))
    if fault:
        top.append(Span("!", fault, PanelTarget("findings")))
    used = cell_len(label) + len(mark[0]) + bool(fault)
    if mark[1] and used < wide:  # a fault is the last thing to give way
        top.append(Span(mark[1], "breakpoint", target))
        used += len(mark[1])
    if last:
        top.append(Span(f" {glyphs.loop}".ljust(wide - used), "line"))
    else:
        rest = wide - used
        rule = " " + glyphs.rule * (rest - 2 - arrow) if rest > 2 else ""
        top.append(Span(rule, "line"))
        end = (glyphs.arrow if arrow else "") + " "
        top.append(Span(end.rjust(rest - len(rule))[: max(0, rest - len(rule))], "accent" if arrow else "line"))
    first, second = _bracketed(box, tall, glyphs, wide - 2)
    under = _under(box, first)
    foot = padded(_foot(box, wide - 1, glyphs), wide - 1)
    for line, words, role in zip(
        lines[1:], (first, second, foot), (under, under, "dim" if box.of else "faint"), strict=True
    ):
        line.append(Span(padded(words, wide - 1, glyphs.ellipsis), role, target))
        line.append(Span(" " if last else glyphs.column, "line", target))
