"""No name, path, exception or output commands the terminal: the gate where cells are made and bytes are written."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len as as_rich_has_it
from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from stepdbg.printable import MARKS, printable, printable_lines
from stepdbg.tui.drawing.cells import cell_len, last_cells, set_cell_size
from stepdbg.tui.drawing.changed_cells import ChangedCells, WholeScreen, rendered, spared
from stepdbg.tui.drawing.lines import Span, shortened, shortened_name
from stepdbg.tui.drawing.sheet import cells_of
from stepdbg.tui.files.clipboard import sequence
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.terminal.driver import Keys

HOSTILE = (
    "\x1b]0;PWN\x07", "\x1b]52;c;UFdO\x07", "\x1b]8;;http://evil\x1b\\", "\x1b[2J", "\x1b[31m", "\x1bc", "\x9b2J",
    "\x9d0;PWN\x9c", "\x90q\x9c", "\r", "\n", "\t", "\b", "\x00", "\x7f", "\u202e", "\u2066", "\u200b", "\u200d",
    "\ufeff", "\u2028", "\u00ad", "\udcff", "\ud800", "\U000e0041", "\ufe0f", "\u0301" * 40, "\u115f", "\u3000",
    "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea",
    "\u5206\u6563", "\u0915\u094d\u0937\u093f", "e\u0301", "\uf8ff", "\ufffe", "\u202eevil\u202c",
)  # fmt: skip
ODD = st.characters(categories=["Cc", "Cf", "Cs", "Mn", "Me", "Mc"])
TEXT = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.characters(), ODD, st.text("abc .", max_size=4)), max_size=12
).map("".join)
OURS = re.compile(r"\x1b\[[0-9;]*H|\x1b\[0m")
"""The sequences that a frame with no colours is written with."""
COPY = r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07"


def obeys_nothing(text: str) -> bool:
    """Whether no terminal would take any of it for more than characters in a row."""
    return not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co") for one in text)


@given(TEXT)
def test_what_has_passed_the_gate_is_characters_only_and_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert obeys_nothing(shown)
    assert printable(shown) == shown
    assert bool(shown) == bool(text) or shown == ""
    marks = [unicodedata.category(one) in ("Mn", "Me") for one in shown]
    assert not any(all(marks[place : place + MARKS + 1]) for place in range(len(marks) - MARKS))


@given(TEXT)
def test_cells_are_counted_as_rich_and_textual_will(text: str) -> None:
    assert cell_len(text) == as_rich_has_it(printable(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("layer\x1b]0;PWN\x07", "layer␛]0;PWN␇"),
        ("a\nb\tc\x7f", "a␊b␉c␡"),
        ("\x9b2J", "�2J"),
        ("user\u202egnp.exe", "user�gnp.exe"),
        ("weight\u200b", "weight�"),
        ("caf\udce9", "caf�"),
        ("a" + "\u0301" * 50, "a" + "\u0301" * MARKS),
        ("\u0301a", "�a"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469"),
        ("\u2764\ufe0f", "\u2764"),
        ("a\u00a0b\u3000c", "a b  c"),
        ("größe 分散 क्षि é ▀─⠿", "größe 分散 क्षि é ▀─⠿"),
    ],
)
def test_what_cannot_be_shown_has_a_stand_in_and_text_of_any_script_stays(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_character_of_unicode_takes_one_cell_or_two_and_is_no_control() -> None:
    for start in (0x0, 0xD700, 0xFD00, 0x1F000, 0xE0000):  # the planes and blocks in which the odd ones are
        for code in range(start, start + 0x900):
            assert 1 <= cell_len(chr(code)) <= 2, hex(code)
            assert obeys_nothing(printable(chr(code))), hex(code)


def test_lines_stay_lines_and_nothing_else_moves() -> None:
    assert printable_lines("a\n\x1b[2Jb\r\n\tc") == "a\n␛[2Jb␍\n        c"


@given(TEXT, st.integers(0, 30))
def test_cut_texts_are_as_wide_as_they_are_to_be(text: str, width: int) -> None:
    assert cell_len(set_cell_size(text, width)) == width
    assert cell_len(last_cells(text, width)) <= width
    assert cell_len(shortened(text, width)) <= max(width, 0)
    assert cell_len(shortened_name(text, width)) <= max(width, 0)


@given(st.lists(TEXT, max_size=4), st.integers(1, 40))
def test_a_line_of_hostile_names_fills_exactly_its_cells(texts: list[str], width: int) -> None:
    cells = cells_of(tuple(Span(text) for text in texts), width)
    assert len(cells) == width
    assert obeys_nothing("".join(character for character, _ in cells))
    assert sum(as_rich_has_it(character) for character, _ in cells) == width


@given(st.lists(TEXT.filter(bool), min_size=1, max_size=4))
def test_nothing_but_our_own_sequences_is_in_the_bytes_of_a_frame(texts: list[str]) -> None:
    """Also of words that Textual's own widgets drew, which have passed no gate of ours."""
    console = Console(force_terminal=True, color_system="truecolor", width=200, legacy_windows=False)
    strip = Strip([Segment(text.replace("\n", "")) for text in texts])
    from textual.geometry import Region

    width = strip.cell_length
    whole = WholeScreen([[strip]], Region(0, 0, width, 1)).render_segments(console)
    changed = ChangedCells([{0: strip}], [(0, 0, width)], [[width]]).render_segments(console)
    for written in (whole, changed, spared(rendered(strip, 3, 2, console))):
        assert obeys_nothing(OURS.sub("", written)), ascii(written)


@given(st.lists(TEXT, max_size=6))
def test_the_output_panel_takes_colours_and_cursor_moves_and_passes_on_nothing(texts: list[str]) -> None:
    data = "".join(texts).encode("utf-8", "replace")
    transcript = Transcript().fed(0, data)
    for line in transcript.lines:
        assert obeys_nothing("".join(character for character, _ in cells_of(line, 60)))
        assert all(re.fullmatch(r"sgr:[0-9;]*|", span.role) for span in line)


@given(TEXT)
def test_a_copy_cannot_break_out_of_its_sequence(text: str) -> None:
    for tmux in (False, True):
        written = sequence(text, tmux=tmux)
        assert re.fullmatch(
            r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07(\x1bPtmux;\x1b\x1b\]52;c;[A-Za-z0-9+/=]*\x07\x1b\\)?", written
        )


@given(st.lists(st.one_of(st.binary(max_size=20), st.sampled_from(
    [b"\xe9 ", b"\xff\xfe", b"\x1b[99999999999u", b"\x1b[<9999999999;1;1M", b"\x1b[<0;-1;1M", b"\x1b[200~\xe9\x1b[201~",
     b"\x1b[1114112u", b"\x1b[55296u", b"\x1b[27;5;999999~", b"\x1b[;;;u", b"\x1b[?2026;9$y", b"\x1b]52;c;", b"\x00"]
)), max_size=8))  # fmt: skip
def test_whatever_is_typed_or_pasted_the_keys_go_on(pieces: list[bytes]) -> None:
    keys = Keys()
    for piece in pieces:
        for message in keys.fed(piece):
            assert message is not None
        list(keys.fed(None))
    fresh = Keys()
    assert [event.key for event in fresh.fed(b"\xe9n")][-1] == "n"  # type: ignore[attr-defined]
