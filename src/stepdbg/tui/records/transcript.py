"""What the script prints, as the lines that a terminal would show.

Progress bars move the cursor: carriage return, backspace, cursor up, erase line. Those are followed, colours are kept
as roles, everything else that a terminal would obey is dropped, and bytes that are no text become `�`.
"""

from __future__ import annotations

import codecs
import re

from msgspec import Struct

from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Line, Span

MOST_LINES = 5_000
"""Older lines are forgotten."""
LONGEST_LINE = 4_000
"""Characters; the rest of a longer line is dropped."""
# Compiled at first use: the first paint waits for this module.
_TOKEN = (
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<parameters>[0-9;:<=>?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_UNFINISHED = r"\x1b(?:\[[0-9;:<=>?]*[ -/]*|[\]PX^_](?:[^\x07\x1b]|\x1b(?!\\)){0,4096}|[ -/]*)?\Z"

Cell = tuple[str, str]


class Transcript(Struct, frozen=True):
    """The output so far. The last line is the one that the cursor may still be on."""

    lines: tuple[Line, ...] = ((),)
    row: int = 0
    column: int = 0
    style: str = ""
    """The colours in force, as the parameters of an SGR sequence: `1;31`."""
    end: int = 0
    """Bytes of the whole output seen so far."""
    forgotten: int = 0
    """Lines that have been dropped at the top."""
    rest: bytes = b""
    """The beginning of a character or of an escape sequence whose end has not come yet."""

    def fed(self, start: int, data: bytes) -> Transcript:
        """The transcript after more output; what overlaps with what is known is left out."""
        if start < self.end:
            data = data[self.end - start :]
        if not data:
            return self
        return _Writing(self).written(data)


class _Writing:
    """One feeding of a transcript; holds mutable rows while it lasts."""

    def __init__(self, before: Transcript) -> None:
        self.before = before
        self.lines = list(before.lines)
        self.row, self.column, self.style = before.row, before.column, before.style
        self.open: list[Cell] | None = None

    def written(self, data: bytes) -> Transcript:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        words = decoder.decode(self.before.rest + data)
        pending = decoder.getstate()[0]
        unfinished = re.search(_UNFINISHED, words)
        if unfinished:
            pending = words[unfinished.start() :].encode() + pending
            words = words[: unfinished.start()]
        for token in re.finditer(_TOKEN, words):
            if token["text"] is not None:
                self.write(token["text"])
            elif token["control"] is not None:
                self.control(token["control"])
            elif token["final"] is not None:
                self.sequence(token["final"], token["parameters"])
        self.close()
        drop = max(0, len(self.lines) - MOST_LINES)
        return Transcript(
            lines=tuple(self.lines[drop:]),
            row=self.row - drop,
            column=self.column,
            style=self.style,
            end=self.before.end + len(data),
            forgotten=self.before.forgotten + drop,
            rest=pending,
        )

    def write(self, words: str) -> None:
        cells = self.cells()
        words = words[: max(0, LONGEST_LINE - self.column)]
        if len(cells) < self.column:
            cells.extend((" ", "") for _ in range(self.column - len(cells)))
        cells[self.column : self.column + len(words)] = [(character, self.style) for character in words]
        self.column += len(words)

    def control(self, character: str) -> None:
        if character == "\n":
            self.move_to(self.row + 1)
            self.column = 0 if self.row == len(self.lines) - 1 else self.column
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.write(" " * (8 - self.column % 8))

    def sequence(self, final: str, parameters: str) -> None:
        numbers = [int(part) if part.isdigit() else 0 for part in parameters.split(";")] if parameters else []
        first = numbers[0] if numbers else 0
        if final == "m":
            self.style = _colours(self.style, parameters)
        elif final == "A":
            self.move_to(self.row - min(max(1, first), 1_000))
        elif final == "B":
            self.move_to(min(self.row + max(1, first), len(self.lines) - 1))
        elif final == "C":
            self.column = min(self.column + max(1, first), LONGEST_LINE)
        elif final == "D":
            self.column = max(0, self.column - max(1, first))
        elif final == "G":
            self.column = min(max(0, first - 1), LONGEST_LINE)
        elif final == "K":
            cells = self.cells()
            if first == 0:
                del cells[self.column :]
            elif first == 1:
                cells[: self.column] = [(" ", "")] * min(self.column, len(cells))
            else:
                cells.clear()
        elif final == "J" and first == 0:
            self.close()
            del self.lines[self.row + 1 :]
            del self.cells()[self.column :]

    def move_to(self, row: int) -> None:
        self.close()
        self.row = max(0, row)
        while self.row >= len(self.lines):
            self.lines.append(())

    def cells(self) -> list[Cell]:
        if self.open is None:
            self.open = [(character, span.role[4:]) for span in self.lines[self.row] for character in span.text]
        return self.open

    def close(self) -> None:
        if self.open is None:
            return
        spans: list[Span] = []
        start = 0
        cells = self.open
        for index in range(1, len(cells) + 1):
            if index == len(cells) or cells[index][1] != cells[start][1]:
                style = cells[start][1]
                words = "".join(character for character, _ in cells[start:index])
                spans.append(Span(words, f"sgr:{style}" if style else ""))
                start = index
        self.lines[self.row] = tuple(spans)
        self.open = None


def _colours(before: str, parameters: str) -> str:
    """The parameters in force after an SGR sequence; a reset forgets what was before it."""
    parts = parameters.replace(":", ";").split(";") if parameters else ["0"]
    kept = before.split(";") if before else []
    position = 0
    while position < len(parts):
        part = parts[position].lstrip("0") or "0"
        length = 1
        if part in ("38", "48") and position + 1 < len(parts):
            length = {"5": 3, "2": 5}.get(parts[position + 1], 1)
        if part == "0":
            kept = []
        else:
            kept += parts[position : position + length]
        position += length
    return ";".join(kept[-24:])


def wrapped_rows(transcript: Transcript, width: int) -> list[Line]:
    """All lines broken at the width of the screen, as a terminal breaks them."""
    rows: list[Line] = []
    for line in transcript.lines:
        if sum(len(span.text) for span in line) <= width // 2 or sum(cell_len(span.text) for span in line) <= width:
            rows.append(line)
            continue
        current: list[Span] = []
        room = width
        for span in line:
            start = 0
            for index, character in enumerate(span.text):
                wide = cell_len(character)
                if wide > room:
                    current.append(span._replace(text=span.text[start:index]))
                    rows.append(tuple(current))
                    current, room, start = [], width, index
                room -= wide
            current.append(span._replace(text=span.text[start:]))
        rows.append(tuple(current))
    return rows
