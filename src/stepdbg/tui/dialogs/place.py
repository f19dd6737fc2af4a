"""A dialog in which a place to stop is written: held against what there is, and taken at the first enter where nothing
speaks against it, else at the second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from textual import work
from textual.widgets import Input

from stepdbg.errors import StepdbgError
from stepdbg.listing.nearest import did_you_mean
from stepdbg.listing.ranks import no_rank
from stepdbg.protocol.breakpoint_text import describe, is_gradient
from stepdbg.protocol.messages import Breakpoint, BreakpointChecked, CheckBreakpoint, Query, Result
from stepdbg.protocol.phases import PHASES
from stepdbg.tui.dialogs.checked import Answer, CheckedDialog
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.drawing.numbers import plural


class Surroundings(NamedTuple):
    """What there is to stop at, as far as the screen knows."""

    ask: Callable[[Query], Awaitable[Result]] | None = None
    """Asks the training process; None while training cannot answer."""
    phases: tuple[str, ...] = ()
    """The phases on the rail."""
    ranks: tuple[int, ...] = ()
    """The training processes that have been met."""
    world: int = 1
    """How many of them there are to be."""


class PlaceDialog(CheckedDialog[Answer]):
    """Says what a place means here, and asks again before it takes one that there is not.

    Args:
        title: For what.
        glyphs: The characters there are.
        around: What the place is held against.
    """

    TAKES = "sets it"
    """What the dialog does with the place."""

    def __init__(self, title: str, glyphs: Glyphs, around: Surroundings) -> None:
        super().__init__(title, glyphs)
        self._around = around
        self._doubted: Breakpoint | None = None
        """The place that enter was pressed for, and that something speaks against."""

    def on_input_changed(self, event: Input.Changed) -> None:
        """Something else is written, for which enter has not been pressed."""
        self._doubted = None
        super().on_input_changed(event)

    def hold(self, point: Breakpoint, meant: str) -> None:
        """Say below the field what a place means, and what it matches here.

        Args:
            point: The place.
            meant: How it is called.
        """
        if point == self._doubted:  # the line of it is chosen anew
            return
        self._doubted = None
        if self._around.ask is None:
            self.say(meant, self._doubt(point, None))
        else:
            self.say(meant, "")
            self._preview(point, meant)

    def take(self, point: Breakpoint, meant: str, answer: Answer) -> None:
        """Leave with an answer; where something speaks against the place, say so instead, the first time.

        Args:
            point: The place.
            meant: How it is called.
            answer: What the dialog answers.
        """
        if point == self._doubted:
            self.dismiss(answer)
        else:
            self._take(point, meant, answer)

    @work(exclusive=True)
    async def _preview(self, point: Breakpoint, meant: str) -> None:
        checked = await self._checked(point)
        if self.is_open and checked is not None:
            doubt = self._doubt(point, checked)
            self.say(in_words(checked, meant), doubt or (checked.problem and f"here: {checked.problem}"))

    @work(exclusive=True)
    async def _take(self, point: Breakpoint, meant: str, answer: Answer) -> None:
        checked = await self._checked(point)
        if not self.is_open:
            return
        if doubt := self._doubt(point, checked):
            self._doubted = point
            self.say(
                in_words(checked, meant) if checked is not None else meant,
                f"{doubt}; enter again {self.TAKES} all the same",
            )
        else:
            self.dismiss(answer)

    async def _checked(self, point: Breakpoint) -> BreakpointChecked | None:
        """The place held against what is alive; None where training does not answer."""
        if self._around.ask is None:
            return None
        try:
            result = await self._around.ask(CheckBreakpoint(describe(point)))
        except StepdbgError:
            return None
        return result if isinstance(result, BreakpointChecked) else None

    def _doubt(self, point: Breakpoint, checked: BreakpointChecked | None) -> str:
        """What speaks against a place: nothing that it names has been met. Empty where nothing does."""
        around = self._around
        if words := no_rank(point.rank, around.ranks, around.world):
            return words
        if checked is not None:
            return checked.unknown or (checked.problem if point.line is not None else "")
        known = (*PHASES, *around.phases)
        if point.phase is None or point.phase in known or is_gradient(point.phase, point.of):
            return ""
        return f"no phase is called {point.phase} yet{did_you_mean(point.phase, known)}"


def in_words(checked: BreakpointChecked, meant: str) -> str:
    """What a place means, matches and gives here, in a line."""
    parts = [meant]
    if checked.matches:
        more = f" and {plural(checked.more, 'other')}" if checked.more else ""
        parts.append(f"it fits {', '.join(checked.matches)}{more}")
    if checked.value:
        parts.append(f"here: {checked.value}")
    return "; ".join(parts)
