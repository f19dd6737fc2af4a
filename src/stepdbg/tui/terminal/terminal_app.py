"""An app that writes nothing to the terminal that it would obey, and gives it back as it was, however it ends."""

from __future__ import annotations

import sys
from typing import Generic, TypeVar

from rich.console import RenderableType
from rich.segment import Segment, Segments
from textual.app import App
from textual.driver import Driver
from textual.notifications import SeverityLevel
from textual.screen import Screen

from stepdbg.printable import printable_lines
from stepdbg.tui.drawing.changed_cells import gated

T = TypeVar("T")


class TerminalApp(App[T], Generic[T], inherit_bindings=False):
    """The base of the app: the gate at the screen, and the driver."""

    farewell = ""
    """What to say on the terminal when the screen is gone."""
    left = False
    """Whether the user has left a session that is over, or ended it: then a crash is told on the terminal."""

    def get_driver_class(self) -> type[Driver]:
        """The driver that holds out."""
        if sys.platform == "win32":
            return super().get_driver_class()
        from stepdbg.tui.terminal.driver import TerminalDriver

        return TerminalDriver

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice; what it repeats of others passes the gate, and is no markup."""
        words = printable_lines(message)
        super().notify(words, title=title, severity=severity, timeout=timeout, markup=markup)

    def write_to_terminal(self, sequence: str) -> None:
        """Send an escape sequence of our own that draws nothing."""
        if self._driver is not None:
            self._driver.write(sequence)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write changed cells only, where Textual would write whole stretches of lines; all of it through the gate."""
        super()._display(screen, gated(renderable))

    def _print_error_renderables(self) -> None:
        """What Textual prints of a failure of ours when the screen has gone: through the gate too."""
        self._exit_renderables = [
            Segments(
                Segment(printable_lines(text), style)
                for text, style, control in self.console.render(one, self.console.options)
                if not control
            )
            for one in self._exit_renderables
        ]
        super()._print_error_renderables()
