"""Walks a newcomer through the first update: shows a hint at a time, and the next when the user has done it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stepdbg.home.first_run import note_use
from stepdbg.tui.hints import HINTS, Moment, advanced, words

if TYPE_CHECKING:
    from stepdbg.tui.app import StepdbgApp


class Guide:
    """Where the user is among the hints.

    Args:
        app: the screen.
        wanted: whether there are to be any.
    """

    def __init__(self, app: StepdbgApp, *, wanted: bool) -> None:
        self._app = app
        self.place = 0 if wanted else len(HINTS)
        self._since: tuple[int, str] | None = None
        """The boundary and the panel at which the present hint was first shown."""

    @property
    def active(self) -> bool:
        """Whether there is a hint to show."""
        return self.place < len(HINTS)

    def begin(self) -> None:
        """The screen has opened: where it is the first one ever, the next is not."""
        if self.active:
            self._note(finished=False)

    def look(self) -> str:
        """What the hint says now; goes on to the next one where the user has done what it says."""
        if not self.active:
            return ""
        snapshot, panel = self._app.snapshot, self._app.furniture.focused_name()
        if snapshot.paused:
            if self._since is None or snapshot.boundary < self._since[0]:  # the script runs again
                self._since = (snapshot.boundary, panel)
            place = advanced(self.place, Moment(snapshot, panel, *self._since))
            if place != self.place:
                self.place, self._since = place, (snapshot.boundary, panel)
                if not self.active:
                    self.dismiss()
        return words(self.place, snapshot, self._app.config.actions)

    def dismiss(self) -> None:
        """No more of them, now or later."""
        self.place = len(HINTS)
        self._note(finished=True)
        self._app.call_later(self._app.furniture.arrange_anew)

    def _note(self, *, finished: bool) -> None:
        asyncio.get_running_loop().run_in_executor(None, lambda: note_use(finished=finished))
