"""What each role of a span looks like: quiet colours taken from the theme, one accent, and signs beside every colour.

Under `NO_COLOR` roles differ by bold, dim, underline and reverse alone.
"""

from __future__ import annotations

from rich.color import ColorParseError
from rich.style import Style
from textual.color import Color

from stepdbg.tui.drawing.contrast import legible
from stepdbg.tui.drawing.tones import tone_style

_PLAIN = {
    "strong": Style(bold=True), "accent": Style(bold=True), "selected": Style(reverse=True),
    "cell.here": Style(reverse=True), "heading": Style(underline=False), "title": Style(bold=True),
    "title.focused": Style(bold=True, reverse=True), "key": Style(bold=True), "error": Style(bold=True),
    "mark.changed": Style(bold=True), "mark.created": Style(bold=True), "tab.here": Style(reverse=True),
    "module": Style(bold=True), "state.accent": Style(reverse=True), "state.running": Style(reverse=True),
    "state.error": Style(reverse=True), "state.dim": Style(reverse=True), "code.keyword": Style(bold=True),
    "state.past": Style(reverse=True), "past": Style(bold=True), "match": Style(bold=True),
}  # fmt: skip
LINES = ("line", "rule", "rule.focused")
"""Roles of what is no text."""
_ANSI = (
    "#45475a", "#e06c75", "#8fbf6f", "#d9b56b", "#6aa5e8", "#c08ad8", "#5fb8c0", "#c8ccd4",
    "#7f848e", "#f08a92", "#a6d189", "#ecc98a", "#8abaf2", "#d3a5e6", "#7fd0d8", "#ffffff",
)  # fmt: skip
"""The sixteen colours that scripts print in: readable on the panels of dark and of light themes."""
_NAMES = tuple(
    f"{bright}{name}"
    for bright in ("", "bright_")
    for name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
)
"""The names of the 16 colours that the terminal itself defines."""


class Palette:
    """Roles to styles, for one theme."""

    def __init__(
        self, variables: dict[str, str], *, colour: bool = True, dark: bool = True, ansi: bool = False
    ) -> None:
        """Take the colours of a theme.

        Args:
            variables: The theme's variables, as Textual computes them.
            colour: False under `NO_COLOR`.
            dark: Whether the theme is a dark one.
            ansi: Whether it has no colours but the terminal's own sixteen.
        """
        self._colour = colour
        self._dark = dark
        self._ansi = ansi
        self._styles: dict[str, Style]
        if not colour:
            self._styles, self._base = dict(_PLAIN), Style.null()
        elif ansi:
            self._styles, self._base = _of_the_terminal(dark), Style.null()
        else:
            self._styles = _readable(_coloured(variables, dark), Color.parse(variables["background"]))
            self._base = Style(bgcolor=Color.parse(variables["background"]).hex6)
        self._painted: dict[str, Style] = {}

    def painted(self, role: str) -> Style:
        """The style of a role on the background of the theme."""
        found = self._painted.get(role)
        if found is None:
            found = self._base + self.style(role)
            if len(self._painted) < 2_000:
                self._painted[role] = found
        return found

    def style(self, role: str) -> Style:
        """The style of a role alone; a role with `.here` is the same on the row of the cursor."""
        found = self._styles.get(role)
        if found is None:
            found = self._made(role)
            if len(self._styles) < 2_000:
                self._styles[role] = found
        return found

    def paints_blanks(self, role: str) -> bool:
        """Whether a space in that role is seen: it has a background or a line."""
        style = self.style(role)
        return style.bgcolor is not None or bool(style.reverse) or bool(style.underline)

    def _made(self, role: str) -> Style:
        if role.startswith("sgr:"):
            return _sgr(role[4:], self._colour, self._dark, _NAMES if self._ansi else _ANSI)
        if role.startswith("tone:"):
            return tone_style(role, self._dark) if self._colour else Style.null()
        if role == "here" or role.endswith(".here"):
            under = self._styles.get("here", Style(reverse=True))
            if under.reverse and "." in role:  # a colour or a dim ink turned round could not be read everywhere
                return under + Style(bold=self.style(role.rpartition(".")[0]).bold)
            return _on(self.style(role.rpartition(".")[0]), under) if "." in role else under
        return Style.null()


def _readable(styles: dict[str, Style], background: Color) -> dict[str, Style]:
    """The same, with every ink moved away from what is behind it until it can be read; lines may be faint."""
    return {role: style if role in LINES else _on(style, _paper(style, background)) for role, style in styles.items()}


def _paper(style: Style, background: Color) -> Style:
    return Style(bgcolor=style.bgcolor or background.hex6)


def _on(style: Style, under: Style) -> Style:
    """The style on that background, its ink moved where it could not be read there."""
    if style.color is None or under.bgcolor is None or style.color.triplet is None or under.bgcolor.triplet is None:
        return style + under
    ink, paper = Color(*style.color.triplet), Color(*under.bgcolor.triplet)
    return style + under + Style(color=legible(ink, paper).hex6)


def _coloured(variables: dict[str, str], dark: bool) -> dict[str, Style]:
    background = Color.parse(variables["background"])
    text = Color.parse("#d6dae2" if dark else "#22262e")

    def shade(name: str, strength: float = 1.0) -> str:
        colour = Color.parse(variables[name])
        if not dark:
            colour = colour.darken(0.12)
        return background.blend(colour, strength).hex6

    def grey(strength: float) -> str:
        return background.blend(text, strength).hex6

    accent = "#f2b45a" if dark else "#9c5600"
    row = background.blend(Color.parse(variables["primary"]), 0.28 if dark else 0.16).hex6
    ink = background.hex6
    good, bad, cold, warm, sand = ("#8fc78f", "#e8787f", "#7db3e8", "#d9a5e0", "#c9b98a") if dark else (
        "#1f7a35", "#b3202c", "#1d5fa8", "#86309a", "#73611f",
    )  # fmt: skip
    return {
        "": Style(color=grey(0.92)),
        "strong": Style(color=grey(1.0), bold=True),
        "dim": Style(color=grey(0.62)),
        "faint": Style(color=grey(0.42)),
        "line": Style(color=grey(0.42)),
        "heading": Style(color=grey(0.52)),
        "number": Style(color=grey(0.82)),
        "accent": Style(color=accent, bold=True),
        "selected": Style(color=ink, bgcolor=accent, bold=True),
        "cell.here": Style(color=ink, bgcolor=accent, bold=True),
        "cursor": Style(color=accent, bold=True),
        "here": Style(bgcolor=row),
        "module": Style(color=cold),
        "effect": Style(color=good),
        "sentence": Style(color=grey(0.92)),
        "hint": Style(color=cold),
        "title": Style(color=grey(0.9), bold=True),
        "title.focused": Style(color=accent, bold=True),
        "rule": Style(color=grey(0.24)),
        "rule.focused": Style(color=background.blend(Color.parse(accent), 0.6).hex6),
        "tab": Style(color=grey(0.62)),
        "tab.here": Style(color=accent, bold=True),
        "key": Style(color=accent, bold=True),
        "breakpoint": Style(color=bad, bold=True),
        "warning": Style(color="#e0b050" if dark else "#8a5a00"),
        "error": Style(color=bad, bold=True),
        "running": Style(color=cold),
        "mark.changed": Style(color=accent, bold=True),
        "match": Style(color=accent, bold=True),
        "mark.touched": Style(color=grey(0.7)),
        "mark.created": Style(color=good, bold=True),
        "mark.freed": Style(color=grey(0.7)),
        "state.accent": Style(color=accent, bold=True),
        "state.running": Style(color=cold, bold=True),
        "state.error": Style(color=bad, bold=True),
        "state.dim": Style(color=grey(0.8), bold=True),
        "state.past": Style(color=ink, bgcolor=warm, bold=True),
        "past": Style(color=warm, bold=True),
        "chart.0": Style(color=cold),
        "chart.1": Style(color=warm),
        "chart.2": Style(color=sand),
        "chart.3": Style(color=accent),
        "code.comment": Style(color=grey(0.5), italic=True),
        "code.keyword": Style(color=warm),
        "code.string": Style(color=sand),
        "code.number": Style(color=accent),
        "code.name": Style(color=cold),
        "code.builtin": Style(color=cold),
    }


def _of_the_terminal(dark: bool) -> dict[str, Style]:
    """The roles in the terminal's own colours, whatever those are: on its own background, its own text."""
    quiet = Style(dim=True)
    accent = Style(color="yellow" if dark else "magenta", bold=True)
    chosen = Style(color="black" if dark else "bright_white", bgcolor="yellow" if dark else "magenta", bold=True)
    good, bad, cold, warm = (Style(color=name) for name in ("green", "red", "blue", "magenta" if dark else "cyan"))
    bold = Style(bold=True)
    return {
        "": Style(),
        "strong": bold,
        "dim": quiet,
        "faint": quiet,
        "line": quiet,
        "heading": quiet,
        "accent": accent,
        "selected": chosen,
        "cell.here": chosen,
        "cursor": accent,
        "here": Style(reverse=True),
        "module": cold,
        "effect": good,
        "hint": cold,
        "title": bold,
        "title.focused": accent,
        "rule": quiet,
        "rule.focused": accent + Style(bold=False),
        "tab": quiet,
        "tab.here": accent,
        "key": accent,
        "breakpoint": bad + bold,
        "warning": Style(color="yellow" if dark else "red"),
        "error": bad + bold,
        "running": cold,
        "mark.changed": accent,
        "match": accent,
        "mark.created": good + bold,
        "mark.freed": quiet,
        "state.accent": accent,
        "state.running": cold + bold,
        "state.error": bad + bold,
        "state.dim": bold,
        "chart.0": cold,
        "chart.1": warm,
        "chart.2": Style(),
        "chart.3": accent + Style(bold=False),
        "code.comment": Style(dim=True, italic=True),
        "code.keyword": warm,
        "code.string": Style(italic=True),
        "code.number": accent + Style(bold=False),
        "code.name": cold,
        "code.builtin": cold,
    }


def _sgr(parameters: str, colour: bool, dark: bool, sixteen: tuple[str, ...]) -> Style:
    """The style of a script's own colours, from the parameters of its SGR sequences."""
    bold = dim = italic = underline = reverse = False
    front: str | None = None
    back: str | None = None
    parts = [int(part) if part.isdigit() else 0 for part in parameters.split(";")]
    position = 0
    while position < len(parts):
        code = parts[position]
        if code == 1:
            bold = True
        elif code == 2:
            dim = True
        elif code == 3:
            italic = True
        elif code == 4:
            underline = True
        elif code == 7:
            reverse = True
        elif code == 22:
            bold = dim = False
        elif code in (23, 24, 27):
            italic, underline, reverse = italic and code != 23, underline and code != 24, reverse and code != 27
        elif 30 <= code <= 37 or 90 <= code <= 97:
            front = sixteen[code - 30 if code < 90 else code - 82]
        elif 40 <= code <= 47 or 100 <= code <= 107:
            back = sixteen[code - 40 if code < 100 else code - 92]
        elif code == 39:
            front = None
        elif code == 49:
            back = None
        elif code in (38, 48):
            found, length = _extended(parts[position + 1 :], sixteen)
            position += length
            if code == 38:
                front = found
            else:
                back = found
        position += 1
    if front and front.startswith("#") and not dark and not back:
        front = Color.parse(front).darken(0.25).hex6
    try:
        return Style(
            color=front if colour else None, bgcolor=back if colour else None,
            bold=bold, dim=dim, italic=italic, underline=underline, reverse=reverse,
        )  # fmt: skip
    except ColorParseError:
        return Style(bold=bold)


def _extended(parts: list[int], sixteen: tuple[str, ...]) -> tuple[str | None, int]:
    """A colour of 256 (`5;n`) or of 16 million (`2;r;g;b`), and how many parameters it took."""
    if len(parts) >= 2 and parts[0] == 5:
        number = min(255, parts[1])
        return (sixteen[number] if number < 16 else f"color({number})"), 2
    if len(parts) >= 4 and parts[0] == 2:
        red, green, blue = (min(255, part) for part in parts[1:4])
        return f"#{red:02x}{green:02x}{blue:02x}", 4
    return None, 0
