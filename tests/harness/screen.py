"""A terminal's screen as pyte draws it, with what pyte leaves out: the alternate screen, and a record of the modes.

pyte 0.8.2 takes no notice of mode 1049, and it would draw the last letter of sequences that begin with `ESC [ <`,
`ESC [ =` or `ESC P`. Modes that a program switched on are kept by number, so that a test can ask whether it put the
terminal back as it was.
"""

from __future__ import annotations

import re

import pyte
import pyte.modes

ALTERNATE_SCREEN = 1049
CURSOR_SHOWN = 25
MOUSE = frozenset({1000, 1002, 1003, 1005, 1006, 1015, 1016})
FOCUS_REPORTS = 1004
WHOLE_FRAMES = 2026
"""On from the beginning of a frame to its end, for a terminal that has said that it shows frames whole."""
BRACKETED_PASTE = 2004
_SHIFT = 5
"""pyte holds a private mode as its number shifted by so many bits."""

_NOT_DRAWN = re.compile(rb"\x1b\[[<=>][0-9;:]*[\x20-\x2f]*[\x40-\x7e]|\x1b[P_^X][^\x1b]*\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:\[[<=>]?[0-9;:?]*|[P_^X][^\x1b]*(?:\x1b)?)?\Z")
_KEYBOARD = re.compile(rb"\x1b\[([<>])[0-9;]*u")


class EmulatedScreen(pyte.Screen):
    """A screen with a second, alternate one, and `private_modes` as the program has set them."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.private_modes: set[int] = {CURSOR_SHOWN}
        """Private modes that are on now. At the start of a terminal's life only the cursor is shown."""
        self._main_screen: tuple[dict[int, object], object] | None = None

    def set_mode(self, *modes: int, **options: bool) -> None:
        """Switch modes on; private ones are noted."""
        if options.get("private"):
            self.private_modes |= set(modes)
            if ALTERNATE_SCREEN in modes and self._main_screen is None:
                self._main_screen = (dict(self.buffer), self.cursor)
                self.buffer.clear()
                self.cursor = pyte.screens.Cursor(0, 0)
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes: int, **options: bool) -> None:
        """Switch modes off; private ones are noted."""
        if options.get("private"):
            self.private_modes -= set(modes)
            if ALTERNATE_SCREEN in modes and self._main_screen is not None:
                kept, self.cursor = self._main_screen
                self.buffer.clear()
                self.buffer.update(kept)
                self._main_screen = None
        super().reset_mode(*modes, **options)


class Emulator:
    """Bytes of a program in, a screen out."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = EmulatedScreen(columns, rows)
        self.keyboard_pushes = 0
        """How often the program has pushed keyboard modes (`CSI > u`) less how often it popped them."""
        self._stream = pyte.ByteStream(self.screen)
        self._held_back = b""

    def feed(self, data: bytes) -> None:
        """Draw; a sequence that is not whole yet waits for its rest."""
        data = self._held_back + data
        unfinished = _UNFINISHED.search(data)
        self._held_back = data[unfinished.start() :] if unfinished else b""
        data = data[: unfinished.start()] if unfinished else data
        for direction in _KEYBOARD.findall(data):
            self.keyboard_pushes += 1 if direction == b">" else -1
        self._stream.feed(_NOT_DRAWN.sub(b"", data))

    def resize(self, columns: int, rows: int) -> None:
        """What the user does to the window."""
        self.screen.resize(rows, columns)

    @property
    def within_frame(self) -> bool:
        """Whether a frame has come in part."""
        return WHOLE_FRAMES in self.screen.private_modes

    @property
    def lines(self) -> list[str]:
        """The screen's rows as text, trailing blanks cut off."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The whole screen as text."""
        return "\n".join(self.lines)

    def leftovers(self) -> list[str]:
        """What the program has not put back, in words; empty when the terminal is as it was."""
        modes = self.screen.private_modes
        left = []
        if ALTERNATE_SCREEN in modes:
            left.append("the alternate screen is still shown")
        if CURSOR_SHOWN not in modes:
            left.append("the cursor is hidden")
        if modes & MOUSE:
            left.append(f"the mouse is still reported (modes {sorted(modes & MOUSE)})")
        if BRACKETED_PASTE in modes:
            left.append("bracketed paste is still on")
        if FOCUS_REPORTS in modes:
            left.append("focus is still reported")
        if self.keyboard_pushes > 0:
            left.append("the keyboard protocol is still pushed")
        return left
