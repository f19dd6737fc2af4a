"""The last line: what can be pressed here and now, and the line of tabs where one panel is shown at a time."""

from __future__ import annotations

from rich.cells import cell_len

from stepdbg.tui.actions import ACTIONS, DIGITS, NAMES, Situation, key_name
from stepdbg.tui.views.lines import UNICODE, Glyphs, Line, Span

PAST = ("back", "earlier", "later")
"""What leads out of the past, and about in it, comes first there."""


def draw(here: Situation, width: int) -> Line:
    """The actions that apply, as many as fit whole; help and quit always come along."""
    entries = [action for action in ACTIONS if action.footer and action.applies(here)]
    if here.snapshot.past_at is not None:
        entries.sort(key=lambda action: action.id not in PAST)
    always = [action for action in entries if action.id in ("help", "quit")]
    rest = [action for action in entries if action not in always]

    def cells(chosen: list[object]) -> int:
        return sum(cell_len(f" {key_name(a.keys[0])} {a.label} ") for a in entries if a in chosen)

    while rest and cells([*rest, *always]) > width:
        rest.pop()
    chosen = [*rest, *always]
    spans: list[Span] = []
    for action in chosen:
        target = f"action:{action.id}"
        spans += [Span(f" {key_name(action.keys[0])}", "key", target), Span(f" {action.label} ", "dim", target)]
    return tuple(spans) if cells([*chosen]) <= width else (Span(" ? help", "key", "action:help"),)


def tabs(current: str, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """The numbered tabs; where the names do not fit, the digits and the name of the one in front."""
    names = list(DIGITS)
    full = [f" {DIGITS[name]} {NAMES[name]} " for name in names]
    if sum(map(len, full)) > width:
        full = [f" {DIGITS[name]} {NAMES[name]}" for name in names]
    short = sum(map(len, full)) > width
    spans: list[Span] = []
    for name, words in zip(names, full, strict=True):
        here = name == current
        if short and not here:
            words = f" {DIGITS[name]} "
        spans.append(Span(words, "tab.here" if here else "tab", f"panel:{name}"))
    if sum(len(span.text) for span in spans) > width:
        spans = [Span(f"{DIGITS[current]} {NAMES[current]}" if current in DIGITS else "", "tab.here")]
    rest = width - sum(len(span.text) for span in spans)
    return (*spans, Span(glyphs.rule * max(0, rest), "rule"))
