"""What moves the cursor of whatever has the focus, and the focus from panel to panel."""

from __future__ import annotations

from stepdbg.tui.host import Host
from stepdbg.tui.panels.console.actions import ConsoleActions

_FAR = 1_000
"""More phases than the rail has."""


class Moving:
    """Moves the cursor, or the focus."""

    def __init__(self, host: Host, console: ConsoleActions) -> None:
        self._host = host
        self._console = console

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor; on the rail there is one row of phases."""
        if (panel := self._host.panel_layout.in_focus()) is not None:
            panel.move(rows, columns)
        else:
            self._host.panel_layout.top.select(rows + columns)

    def page(self, pages: int) -> None:
        """Move the cursor by what fits; on the rail everything does."""
        if (panel := self._host.panel_layout.in_focus()) is not None:
            panel.page(pages)
        else:
            self._host.panel_layout.top.select(0)

    def go_to_end(self, end: int) -> None:
        """Move the cursor to the first row (0) or the last (-1)."""
        if (panel := self._host.panel_layout.in_focus()) is not None:
            panel.go_to(end)
        else:
            self._host.panel_layout.top.select(-_FAR if end == 0 else _FAR)

    async def go_to(self, name: str) -> None:
        """Go to a panel by its key: it shows its first view, and the console takes what is typed."""
        layout = self._host.panel_layout
        layout.at(name).show_first()
        layout.go_to(name)
        await self._type()

    async def cycle(self, step: int) -> None:
        """Go to the next panel (1) or to the one before (-1)."""
        self._host.panel_layout.cycle(step)
        await self._type()

    async def _type(self) -> None:
        if self._host.panel_layout.focused_name() == "console":
            await self._console.begin()
