"""The lines that lead somewhere: the tabs of the panels, the footer with the keys that apply, and the hint above it."""

from __future__ import annotations

from stepdbg.tui.actions.action import ActionContext
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, cropped
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.layout import footer


class Tabs(Sheet):
    """Which panel is in front, where one is shown at a time."""

    def __init__(self, palette: Palette, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, id="tabs")
        self.glyphs = glyphs
        self.current = "model"
        self.zoomed = ""
        """The key that shows all panels again."""
        self.news = ""

    def show(self, current: str, *, zoomed: str = "", news: str = "") -> None:
        """Draw the tabs with another panel in front, or a sign of new output."""
        self.current, self.zoomed, self.news = current, zoomed, news
        self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The tabs."""
        return [footer.tabs(self.current, width, self.glyphs, zoomed=self.zoomed, news=self.news)]


class Footer(Sheet):
    """The keys that do something here and now."""

    DEFAULT_CSS = """
    Footer { dock: bottom; }
    """

    def __init__(self, palette: Palette, here: ActionContext, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, id="footer")
        self.glyphs = glyphs
        self.here = here
        self.hidden = ""
        """What there is no room for, in words."""
        self.status = ""
        """Why the key pressed last did nothing; in place of the keys."""

    def show(self, here: ActionContext, hidden: str = "", status: str = "") -> None:
        """Draw the keys that apply in another situation."""
        self.here, self.hidden, self.status = here, hidden, status
        self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The footer."""
        if self.hidden:
            return [cropped((Span(f" {self.hidden}", "warning"),), width)]
        if self.status:
            return [footer.status(self.status, self.here, width, self.glyphs)]
        return [footer.draw(self.here, width)]


class HintLine(Sheet):
    """What a newcomer may press next, above the footer; gone when the hints are over."""

    def __init__(self, palette: Palette, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, id="hint")
        self.glyphs = glyphs
        self.words = ""
        self.key = ""

    def show(self, words: str, key: str) -> None:
        """Another hint.

        Args:
            words: It says.
            key: That dismisses it.
        """
        self.words, self.key = words, key
        self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The hint, and how to be rid of it."""
        return [footer.hint(self.words, self.key, width, self.glyphs)]
