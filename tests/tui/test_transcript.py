"""What a script prints is shown as a terminal shows it; whatever it prints, nothing breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdbg.tui.drawing.lines import text, width_of
from stepdbg.tui.records.transcript import LONGEST_LINE, MOST_LINES, Transcript, wrapped_rows


def after(*pieces: bytes) -> list[str]:
    """The lines after these pieces of output."""
    transcript = Transcript()
    for piece in pieces:
        transcript = transcript.fed(transcript.end, piece)
    return [text(line) for line in transcript.lines]


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (b"one\ntwo\n", ["one", "two", ""]),
        (b"one\r\ntwo", ["one", "two"]),
        (b" 50%|##  |\r 75%|### |", [" 75%|### |"]),
        (b"abc\b\bX", ["aXc"]),
        (b"long line\r\x1b[Kok", ["ok"]),
        (b"a\nb\nc\x1b[2A\rA", ["A", "b", "c"]),
        (b"a\tb", ["a       b"]),
        (b"\x1b]0;a title\x07words", ["words"]),
        (b"\x1b[?25lhidden cursor\x1b[?25h", ["hidden cursor"]),
        (b"\x1b[5Gfar", ["    far"]),
        (b"a\nb\nc\x1b[2A\x1b[J", ["a"]),
        (b"\x07bell\x00", ["bell"]),
    ],
)
def test_control_characters_do_what_a_terminal_does(output: bytes, lines: list[str]) -> None:
    assert after(output) == lines


def test_colours_become_roles_and_end_with_a_reset() -> None:
    (line, _) = Transcript().fed(0, b"\x1b[1;31mred\x1b[0m plain\n").lines
    assert [(span.text, span.role) for span in line] == [("red", "sgr:1;31"), (" plain", "")]


def test_a_character_or_a_sequence_that_is_cut_in_two_is_put_together() -> None:
    assert after("é".encode()[:1], "é".encode()[1:]) == ["é"]
    assert after(b"a\x1b[3", b"1mb") == ["ab"]
    assert after(b"a\x1b", b"[Kb") == ["ab"]


def test_output_that_comes_twice_is_shown_once() -> None:
    transcript = Transcript().fed(0, b"abc").fed(1, b"bcd").fed(0, b"abcd")
    assert [text(line) for line in transcript.lines] == ["abcd"]


def test_old_lines_and_endless_lines_are_dropped() -> None:
    transcript = Transcript().fed(0, b"x\n" * (MOST_LINES + 50))
    assert len(transcript.lines) == MOST_LINES
    assert transcript.forgotten == 51
    assert len(text(Transcript().fed(0, b"y" * 100_000).lines[0])) == LONGEST_LINE


def test_long_lines_break_at_the_width_and_wide_characters_stay_whole() -> None:
    rows = wrapped_rows(Transcript().fed(0, "漢字漢字漢".encode() + b"abcdef"), 5)
    assert [text(row) for row in rows] == ["漢字", "漢字", "漢abc", "def"]
    assert all(width_of(row) <= 5 for row in rows)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_in_any_pieces_leave_printable_lines(pieces: list[bytes]) -> None:
    transcript = Transcript()
    for piece in pieces:
        transcript = transcript.fed(transcript.end, piece)
    assert transcript.end == sum(map(len, pieces))
    for line in transcript.lines:
        assert not any(character < " " or character == "\x7f" for character in text(line))


@given(
    st.lists(st.sampled_from([b"\x1b[A", b"\x1b[1000B", b"\n", b"\r", b"ab", b"\x1b[K", b"\x1b[J", b"\b", b"\x1b[1K"]))
)
def test_cutting_the_output_anywhere_makes_no_difference(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    once = Transcript().fed(0, whole)
    transcript = Transcript()
    for index in range(len(whole)):
        transcript = transcript.fed(index, whole[index : index + 1])
    assert [text(line).rstrip() for line in transcript.lines] == [text(line).rstrip() for line in once.lines]
