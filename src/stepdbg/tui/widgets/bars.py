"""The two lines that lead somewhere: the tabs of the panels, and the footer with the keys that apply."""

from __future__ import annotations

from stepdbg.tui.actions import Situation
from stepdbg.tui.palette import Palette
from stepdbg.tui.views import footer
from stepdbg.tui.views.lines import UNICODE, Glyphs, Line, Span, cropped
from stepdbg.tui.widgets.sheet import Sheet


class Tabs(Sheet):
    """Which panel is in front, where one is shown at a time."""

    def __init__(self, palette: Palette, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, id="tabs")
        self.glyphs = glyphs
        self.current = "model"

    def show(self, current: str) -> None:
        """Another panel is in front."""
        self.current = current
        self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The tabs."""
        return [footer.tabs(self.current, width, self.glyphs)]


class Footer(Sheet):
    """The keys that do something here and now."""

    DEFAULT_CSS = """
    Footer { dock: bottom; }
    """

    def __init__(self, palette: Palette, here: Situation) -> None:
        super().__init__(palette, id="footer")
        self.here = here
        self.hidden = ""
        """What there is no room for, in words."""

    def show(self, here: Situation, hidden: str = "") -> None:
        """Another situation."""
        self.here, self.hidden = here, hidden
        self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The footer."""
        if self.hidden:
            return [cropped((Span(f" {self.hidden}", "warning"),), width)]
        return [footer.draw(self.here, width)]
