"""Fewer sequences, the same cells: both held against a terminal emulator."""

from __future__ import annotations

from harness.screen import Emulator
from hypothesis import given
from hypothesis import strategies as st

from stepdbg.tui.drawing.changed_cells import spared

COLOURS = st.sampled_from(["", "5;17", "5;208", "2;1;2;3", "2;200;0;9"])
RUN = st.tuples(COLOURS, COLOURS, st.sampled_from(["", "1", "3", "1;4", "7"]), st.sampled_from(["▀", " ", "ab", "x"]))


def run(front: str, back: str, attributes: str, words: str) -> str:
    """As Rich writes a segment."""
    codes = ";".join(filter(None, [attributes, front and f"38;{front}", back and f"48;{back}"]))
    return f"\x1b[{codes}m{words}\x1b[0m" if codes else words


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 20), st.lists(RUN, max_size=6)), max_size=6))
def test_the_screen_looks_the_same(spans: list[tuple[int, int, list[tuple[str, str, str, str]]]]) -> None:
    written = "".join(f"\x1b[{y};{x}H" + "".join(run(*one) for one in runs) for y, x, runs in spans)
    screens = []
    for words in (written, spared(written)):
        emulator = Emulator(40, 6)
        emulator.feed((words + "\x1b[6;1Hend").encode())
        screens.append([[emulator.screen.buffer[y][x] for x in range(40)] for y in range(6)])
    assert screens[0] == screens[1]
    assert len(spared(written)) <= len(written) + 2 * written.count("\x1b[")


def test_a_colour_is_named_once() -> None:
    written = run("5;17", "5;52", "", "▀") + run("5;17", "5;88", "", "▀") + run("5;17", "5;88", "", "▀")
    assert spared(written) == "\x1b[38;5;17;48;5;52m▀\x1b[48;5;88m▀▀\x1b[0m"
