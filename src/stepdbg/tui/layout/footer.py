"""The last line: what can be pressed here and now, and the line of tabs where one panel is shown at a time."""

from __future__ import annotations

from collections.abc import Iterator

from stepdbg.tui.actions.action import Action, ActionContext
from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, clipped, cropped, width_of
from stepdbg.tui.drawing.marks import sign_of_news
from stepdbg.tui.panel_base.registry import DIGITS, NAMES, SHORT_NAMES
from stepdbg.tui.state.targets import ActionTarget, PanelTarget

SPARED = ("finish",)
"""What gives way first, for what the panel in focus has to offer."""
PAST = ("back", "earlier", "later")
"""What leads out of the past, and about in it, comes first there."""

SOME = 20
"""Cells of a remark that still say something."""
OVER = ("restart",)
"""What is still to be done once the script has ended comes first then, and needs no place before."""

ALWAYS = ("command_palette", "help", "quit")
"""They come along whatever there is room for; through the first all the others are reached, by mouse as well."""


def draw(here: ActionContext, width: int) -> Line:
    """The actions that apply, as many as fit whole; the way to all others, help and quit always come along.

    Where that makes room for one more, the entries stand closer together.
    """
    over = here.snapshot.over
    offered = (action for action in here.actions if action.footer or (over and action.id in OVER))
    entries = [action for action in offered if action.applies(here)]
    if over:
        entries.sort(key=lambda action: action.id not in OVER)
    if here.snapshot.asking:
        entries.sort(key=lambda action: action.id != "input")
    if here.snapshot.past_at is not None:
        entries.sort(key=lambda action: action.id not in PAST)
    always = [action for action in entries if action.id in ALWAYS]
    always.sort(key=lambda action: ALWAYS.index(action.id))
    rest = [action for action in entries if action not in always]
    leaving = [action for action in rest if action.id in SPARED]
    leaving += [action for action in reversed(rest) if action not in leaving]
    for number in range(len(rest) + 1):
        chosen = [*(action for action in rest if action not in leaving[:number]), *always]
        for before, after in ((" ", " "), ("", "")):
            line = _entries(chosen, before, after)
            if width_of(line) <= width:
                return line
    return (Span(_help(here), "key", ActionTarget("help")),)


def _entries(actions: list[Action], before: str, after: str) -> Line:
    """`n next  f finish`, each of which is clicked as well."""
    spans: list[Span] = []
    for action in actions:
        target = ActionTarget(action.id)
        spans.append(Span(f"{' ' if spans else before}{key_name(action.keys[0])}", "key", target))
        spans.append(Span(f" {action.label}{after}", "dim", target))
    return tuple(spans)


def status(words: str, here: ActionContext, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """Why a key did nothing, with the way to the keys that do something."""
    ways = (Span(_help(here), "key", ActionTarget("help")),)
    room = width - width_of(ways) - 2
    left = clipped((Span(f" {words}", "sentence"),), room, glyphs.ellipsis)
    return (*left, Span(" " * (room + 1 - width_of(left))), *ways, Span(" ")) if room > SOME else cropped(left, width)


def _help(here: ActionContext) -> str:
    """How to find the keys, where there is room for nothing else."""
    return "".join(f" {key_name(action.keys[0])} help" for action in here.actions if action.id == "help")


def tabs(current: str, width: int, glyphs: Glyphs = UNICODE, *, zoomed: str = "", news: str = "") -> Line:
    """The numbered tabs; where the names do not fit, the digits and the name of the one in front.

    Args:
        current: The panel in front.
        width: Cells.
        glyphs: What to draw with.
        zoomed: The key that shows all panels, where there is room for more than the one.
        news: What was printed and not seen yet.
    """
    words = f" {zoomed}: all panels "
    room = width - (cell_len(words) if zoomed and width > 3 * cell_len(words) else 0)
    spans = next(
        (spans for spans in _ways_to_name(current) if sum(len(span.text) for span in spans) <= room),
        (Span(f"{DIGITS[current]} {NAMES[current]}" if current in DIGITS else "", "tab.here"),),
    )
    if news:
        sign = Span(sign_of_news(news, glyphs), "warning", PanelTarget("output"))
        spans = tuple(
            piece
            for span in spans
            for piece in (
                (sign, span._replace(text=span.text[1:]))
                if span.target == PanelTarget("output") and span.text.startswith(" ")
                else (span,)
            )
        )
    rest = room - sum(len(span.text) for span in spans)
    gap = Span(" " if rest > 0 and not spans[-1].text.endswith(" ") else "")
    unzoom = Span(words, "dim", ActionTarget("zoom")) if room < width else Span("")
    return (*spans, gap, Span(glyphs.rule * max(0, rest - len(gap.text)), "rule"), unzoom)


def _ways_to_name(current: str) -> Iterator[Line]:
    """The tabs with all the room they like, then with less and less: narrower, shorter names, the name right behind its
    key, digits.
    """
    short = {**NAMES, **SHORT_NAMES}
    for between, after, names in (
        (" ", " ", NAMES),
        (" ", "", NAMES),
        (" ", "", short),
        ("", "", short),
        (" ", " ", {}),
    ):
        spans: list[Span] = []
        for name, digit in DIGITS.items():
            role, target = "tab.here" if name == current else "tab", PanelTarget(name)
            words = names.get(name, NAMES[name] if name == current else "")
            if between or not words:
                spans.append(Span(f" {digit}{between}{words}".rstrip() + after, role, target))
            else:
                spans += [Span(f" {digit}", role if name == current else "key", target), Span(words, role, target)]
        yield tuple(spans)


def hint(words: str, key: str, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """A hint for a newcomer, and at the right the key that dismisses all of them."""
    if not words:
        return ()
    left: Line = (Span(f" {glyphs.arrow} ", "accent"), Span(words, "hint"))
    dismiss = f"{key}: no hints "
    rest = width - width_of(left) - cell_len(dismiss)
    if rest < 1:
        return clipped(left, width, glyphs.ellipsis)
    return (*left, Span(" " * rest), Span(dismiss, "faint", ActionTarget("no_hints")))
