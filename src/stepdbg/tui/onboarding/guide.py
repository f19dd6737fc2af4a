"""Walks a newcomer through the first update: shows a hint at a time, and the next when the user has done it."""

from __future__ import annotations

import asyncio

from stepdbg.home.first_run import note_use
from stepdbg.tui.host import Host
from stepdbg.tui.onboarding.hints import HINTS, Moment, advanced, words
from stepdbg.tui.state.snapshot import Snapshot


class Guide:
    """Where the user is among the hints.

    Args:
        app: the screen.
        wanted: whether there are to be any.
    """

    def __init__(self, app: Host, *, wanted: bool) -> None:
        self._app = app
        self.place = 0 if wanted else len(HINTS)
        self._since: tuple[int, str] | None = None
        """The boundary and the panel at which the present hint was first shown."""
        self._stops: set[int] = set()
        """The boundaries of the stops since."""

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
        snapshot, panel = self._app.snapshot, self._app.panel_layout.focused_name()
        if snapshot.paused and not (snapshot.stop is not None and snapshot.stop.inner is not None):
            if self._since is None or snapshot.boundary < self._since[0]:  # the script runs again
                self._begin(snapshot.boundary, panel)
            self._stops.add(snapshot.boundary)
            while self.active and (place := advanced(self.place, self._moment(snapshot, panel))) != self.place:
                self.place = place
                self._begin(snapshot.boundary, panel)
                if not self.active:
                    self.dismiss()
        focused = self._app.panel_layout.in_focus()
        typing = focused is not None and focused.typing  # keys are letters then
        return "" if typing else words(self.place, snapshot)

    def _begin(self, boundary: int, panel: str) -> None:
        """Count from here on for another hint."""
        self._since, self._stops = (boundary, panel), {boundary}

    def _moment(self, snapshot: Snapshot, panel: str) -> Moment:
        layout = self._app.panel_layout
        beside = frozenset(one.panel for one in layout.visible()) if layout.has_columns else frozenset()
        owners = layout.is_shown("effects") and layout.owners_asked_for()
        boundary, from_panel = self._since or (snapshot.boundary, panel)
        return Moment(snapshot, panel, boundary, from_panel, len(self._stops) - 1, beside, owners)

    def dismiss(self) -> None:
        """No more of them, now or later."""
        self.place = len(HINTS)
        self._note(finished=True)
        self._app.call_later(self._app.panel_layout.arrange_anew)

    def _note(self, *, finished: bool) -> None:
        asyncio.get_running_loop().run_in_executor(None, lambda: note_use(finished=finished))
