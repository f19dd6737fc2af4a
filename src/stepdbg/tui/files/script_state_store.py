"""Remembers breakpoints, watches and layout of the script: read when the screen opens, written when they have changed.

Writing happens in a thread, one file at a time, since a home directory may be slow. Where it cannot be done, that is
said once and nothing else is different.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from msgspec.structs import replace

from stepdbg.home.folders import STATE_VARIABLE, is_script_file
from stepdbg.home.script_state import MOST_HISTORY, ScriptState, read_state, write_state
from stepdbg.tui.host import Host
from stepdbg.tui.panel_base.registry import SPECS

SOON = 0.3
"""Seconds that a change waits for others, to be written together."""

EMPTY_AT_FIRST = frozenset(spec.name for spec in SPECS if spec.empty_at_first)
"""The panels that have nothing to show when a script starts."""


class ScriptStateStore:
    """What is kept of the script of one screen."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._file: Path | None = None
        self.state = ScriptState()
        """What the file says."""
        self.history: list[str] = []
        """Lines of the console, oldest first: to be appended to, and kept."""
        self._writing: asyncio.Task[None] | None = None
        self._cannot = False

    @property
    def idle(self) -> bool:
        """Whether nothing is being written."""
        return self._writing is None

    def open(self, file: str) -> None:
        """The session is known: read what is kept of its script, and restore the layout."""
        if not file or self._file is not None or self._cannot:
            return
        app = self._app
        if not is_script_file(Path(file)):
            self._cannot = True
            why = f"breakpoints and layout are not kept: {file} is not in the folder of this screen's state"
            app.notify(why, severity="warning", timeout=10, markup=False)
            return
        self._file = Path(file)
        self.state, remark = read_state(self._file)
        self.history = list(self.state.history)
        if remark and remark not in app.notices:
            app.notify(remark, severity="warning", timeout=10, markup=False)
        if self.state.panels:
            app.panel_layout.restore(self._worth_a_start(self.state.panels), zoomed=self.state.zoomed)
        else:
            self.state = replace(self.state, panels=tuple(app.panel_layout.recent))
        if self.state.theme:
            app.chosen_theme = self.state.theme

    def _worth_a_start(self, panels: tuple[str, ...]) -> tuple[str, ...]:
        """The panels in their order; before anything has run, one that shows what has run gives way to the Model."""
        if self._app.snapshot.boundary <= 1 and panels[0] in EMPTY_AT_FIRST:
            return ("model", *(panel for panel in panels if panel != "model"))
        return panels

    def save_if_changed(self) -> None:
        """Called when something may have changed: write it soon, if it has."""
        if self._file is not None and self._writing is None and not self._cannot and self._now() != self.state:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    def close(self) -> None:
        """The screen closes: write what has not been written."""
        if self._file is None or self._cannot or (state := self._now()) == self.state:
            return
        try:
            write_state(self._file, state, self._app.snapshot.session.script)
        except OSError:
            return  # there is no screen left to say so on

    async def _write_soon(self) -> None:
        await asyncio.sleep(SOON)
        assert self._file is not None
        state = self._now()
        try:
            await asyncio.to_thread(write_state, self._file, state, self._app.snapshot.session.script)
        except OSError as error:
            self._cannot = True
            why = (
                f"breakpoints and layout are not kept: {self._file} ({error.strerror}); "
                f"set {STATE_VARIABLE} to a folder of yours"
            )
            self._app.notify(why, severity="warning", markup=False)
        self.state = state
        self._writing = None
        self.save_if_changed()

    def _now(self) -> ScriptState:
        """What is to be kept as things stand."""
        app = self._app
        there = [one for one in app.snapshot.session.breakpoints if not one.goal and one.time is None]  # of this run
        points = tuple(msgspec.structs.replace(one, number=0, hits=0) for one in there)
        watches = tuple(msgspec.structs.replace(one, number=0, problem="") for one in app.snapshot.session.watches)
        layout = app.panel_layout
        return replace(
            self.state,
            breakpoints=points,
            watches=watches,
            panels=tuple(layout.chosen),
            zoomed=layout.zoomed,
            history=tuple(self.history[-MOST_HISTORY:]),
            theme=app.chosen_theme,
        )
