"""The help: every key, those of the panel in focus first, and what the signs mean."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.tui.actions.action import Action, ActionContext, main_keys, shown_keys
from stepdbg.tui.actions.meanings import means
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, plain
from stepdbg.tui.panel_base.registry import BY_NAME, NAMES

RAIL_HELP = (
    "The loop, phase by phase; the arrow stands before the one that comes next. Under each phase: what it did "
    "and how long it took or, where there are several models or optimizers, whose it is."
)
"""What the help says of the rail; as in a panel's row, `{next}` is the key of the action `next`."""
RANKS = (
    "Ranks: every training process stops at its first phase. {next}, {finish}, {continue} and {pause} steer the rank "
    "that is shown, {rank} shows the next; breakpoints hold in all. A collective call (all_reduce in the backward of a "
    "distributed model) waits for every rank: where one is paused, show it with {rank} and let it go on, too. {quit} "
    "and g let all go on."
)
"""Told where several processes train; as in a panel's row, `{next}` is the key of the action `next`."""
RANKS_TOLD = 8
"""The most ranks that are listed with their processes."""


SIGNS = "* changed  ~ same value  + created  - freed  ! not finite"


def signs(glyphs: Glyphs) -> list[tuple[str, str]]:
    """Every sign of the screen, and what it means."""
    output = "•" if glyphs.braille else "'"
    return [
        ("*  ~", "changed; written with the same value (Model, Effects, Source)"),
        ("+  -", "created; freed"),
        ("?", "behind a phase: foretold, not certain; behind * or +: since the last stop, by whichever phase"),
        ("!", "a figure that is not finite; a warning that was printed; something that is likely wrong"),
        ("!", "behind a phase, before a row or a line: what a rule has found about it, in Findings"),
        ("=", "before a figure: a value, where others in the column are norms"),
        ("( )", "what a phase that is not done yet did the last time"),
        (glyphs.arrow, "the phase, line or stop that comes next"),
        (glyphs.loop, "the end of the loop: it begins again at the left"),
        (glyphs.ellipsis, "behind an effect on the rail: there are more, in Effects; in a name: left out"),
        (f"{glyphs.breakpoint}  {glyphs.switched_off}", "a breakpoint; one that is switched off"),
        (glyphs.cursor, "the cursor: the row, cell or panel that keys are for"),
        (f"{glyphs.branch}  {glyphs.folded}", "a module, unfolded; folded"),
        (glyphs.done, "a phase that is done"),
        (f"{output}7  !7", "new output; a warning in it, not seen yet"),
        (f"{glyphs.yes}  {glyphs.no}", "in the optimizer's table: there is a gradient; there is none"),
        (f"{glyphs.more_left}  {glyphs.more_right}", "more than there is room for, at this side"),
        ("e  !  [ ]", "on the line 'stops': edited there; an exception; the stop that is looked at"),
    ]


TOLD = (
    "In brackets, on the rail and in Effects: what a phase that is not done yet did the last time. "
    "A ? behind a sign: changed since the last stop, by whichever phase."
)
STRIP = (
    "The line 'stops': a dot for each stop so far, a line and a number where an update begins, the arrow at the "
    "newest, brackets round an earlier one that is looked at ({earlier}, {later} or a click go there); "
    "e: edited there, !: an exception."
)


def session_lines(here: ActionContext, width: int) -> list[str]:
    """What runs, where, and since when it is known in which processes."""
    session = here.snapshot.session
    told = [f"Session {session.name}: {session.target}"]
    if session.directory:
        told.append(f"in {session.directory}")
    told += [
        f"rank {rank.rank}: process {rank.pid}, Python {rank.python}, torch {rank.torch}"
        for rank in session.ranks[:RANKS_TOLD]
        if rank.python
    ]
    if len(session.ranks) > RANKS_TOLD:
        told.append(f"and {len(session.ranks) - RANKS_TOLD} more ranks")
    return [line for words in told for line in textwrap.wrap(plain(words), width, subsequent_indent="  ")]


def help_text(here: ActionContext, width: int = 90, glyphs: Glyphs = UNICODE, query: str = "") -> str:
    """The help as plain text, at most so wide, for the panel in focus; of a query, only what is about it."""
    keys = main_keys(here.actions)
    told = "graph" if here.panel == "tensor" and here.view == "graph" else here.panel
    words = (BY_NAME[told].help if told in BY_NAME else RAIL_HELP if told == "rail" else "").format_map(keys)
    lines = textwrap.wrap(f"{NAMES.get(here.panel, 'stepdbg')}: {words}", width)
    legend = [(sign, words) for sign, words in signs(glyphs) if query.casefold() in words.casefold()]
    if query:
        found = [action for action in here.actions if means(action, query)]
        lines = [] if found or legend else [f"nothing is found by {query!r}"]
        return "\n".join([*lines, *_listed(found, here, width), *_legend(legend, width)])
    lines += ["", *textwrap.wrap(f"Signs: {SIGNS}; all of them below", width)]
    if len(here.snapshot.session.ranks) > 1:
        lines += ["", *textwrap.wrap(RANKS.format_map(keys), width)]
    anywhere = replace(here, panel="", editable=False, selected=False)
    own = [action for action in here.actions if action.applies(here) and not action.applies(anywhere)]
    groups = {"In this panel, now": own} if own else {}
    for action in here.actions:
        groups.setdefault(action.group, []).append(action)
    for heading, actions in groups.items():
        lines += ["", heading, *_listed(actions, here, width)]
        if heading in ("In this panel, now", "Session"):
            lines += ["", *legend_once] if (legend_once := _legend(legend, width)) else []
            legend = []
    lines += ["", "On the screen", *textwrap.wrap(TOLD, width), *textwrap.wrap(STRIP.format_map(keys), width)]
    return "\n".join([*lines, "", *session_lines(here, width)])


def _legend(legend: list[tuple[str, str]], width: int) -> list[str]:
    """The signs, one a line."""
    lines = ["Signs"] if legend else []
    for sign, words in legend:
        first, *rest = textwrap.wrap(words, max(20, width - 12))
        lines += [f"  {sign}".ljust(12) + first, *(" " * 12 + line for line in rest)]
    return lines


def _listed(actions: list[Action], here: ActionContext, width: int) -> list[str]:
    """Keys, and what they do."""
    column = max(len(shown_keys(action)) for action in here.actions) + 4
    lines = []
    for action in actions:
        first, *rest = textwrap.wrap(action.help, max(20, width - column)) or [""]
        lines += [f"  {shown_keys(action)}".ljust(column) + first, *(" " * column + line for line in rest)]
    return lines


class HelpDialog(Dialog[None]):
    """Shows the help; any of its keys leaves it, but for the one that searches."""

    DEFAULT_CSS = """
    HelpDialog > #box { width: 96; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark,enter", "dismiss_dialog", "close", show=False),
        Binding("slash", "search", "search", show=False),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
        Binding("pagedown,space", "scroll(10)", "page down", show=False),
        Binding("pageup", "scroll(-10)", "page up", show=False),
    ]

    def __init__(self, here: ActionContext, glyphs: Glyphs) -> None:
        super().__init__("Keys", glyphs)
        self._here = here

    def fill(self) -> list[Widget]:
        """The text, and a line to search it by."""
        return [
            Static("/ searches by meaning: gradient, learning rate, who changed", classes="quiet", markup=False),
            Input(id="query", classes="hidden", placeholder="part of a word; escape shows all again"),
            Static(self._words(""), id="text", markup=False),
        ]

    def _words(self, query: str) -> str:
        words = help_text(self._here, min(89, self.app.size.width - 7), self.glyphs, query)
        return words if self.glyphs.braille else words.replace("Δ/‖w‖", "dw/|w|")

    def action_search(self) -> None:
        """Type what is looked for."""
        field = self.query_one(Input)
        field.remove_class("hidden")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what is about it."""
        if self.is_open:
            self.query_one("#text", Static).update(self._words(event.value.strip()))

    def on_input_submitted(self) -> None:
        """What is found can be scrolled."""
        self.set_focus(None)

    def action_dismiss_dialog(self) -> None:
        """Out of the search first, then out of the help."""
        field = self.query_one(Input)
        if field.has_class("hidden"):
            super().action_dismiss_dialog()
            return
        field.value = ""
        field.add_class("hidden")
        self.set_focus(None)

    def action_scroll(self, lines: int) -> None:
        """Move the text."""
        self.query_one("#box").scroll_relative(y=lines, animate=False)
