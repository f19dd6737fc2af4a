"""The end-to-end tests' own eyes: the emulated terminal shows and counts what a program does to a real pty."""

from __future__ import annotations

import signal
import sys

import pytest
from harness.place import Place
from harness.screen import Emulator
from harness.terminal import Terminal

FULL_SCREEN = r"""
import sys, termios, tty
tty.setcbreak(0)
sys.stdout.write("\x1b[?1049h\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?25l\x1b[>1u\x1b[2J\x1b[3;5Hin front")
sys.stdout.flush()
heard = ""
while not heard.endswith("m"):
    heard += sys.stdin.read(1)
sys.stdout.write("\x1b[<u\x1b[?25h\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?1049l")
print(ascii(heard), flush=True)
sys.exit(7)
"""


def program(place: Place, source: str, size: tuple[int, int] = (60, 10)) -> Terminal:
    return place.terminal([sys.executable, "-c", source], size=size)


def test_a_full_screen_program_is_read_clicked_and_leaves_the_terminal_as_it_was(place: Place) -> None:
    terminal = program(place, FULL_SCREEN)
    terminal.wait_for("in front")
    assert terminal.where("in front") == (4, 2)
    assert len(terminal.emulator.leftovers()) == 5

    terminal.click_on("front")

    assert terminal.wait_exit() == 7
    assert r"\x1b[<0;8;3M" in terminal.text
    assert "in front" not in terminal.text
    assert terminal.emulator.leftovers() == []


def test_a_deadline_that_passes_shows_the_screen(place: Place) -> None:
    terminal = program(place, "print('only this'); input()")
    terminal.wait_for("only this")
    with pytest.raises(AssertionError, match=r"(?s)in vain for .*never.*only this"):
        terminal.wait_for("never", seconds=0.01)


def test_an_end_before_the_awaited_text_is_told_at_once(place: Place) -> None:
    terminal = program(place, "print('good-bye')")
    with pytest.raises(AssertionError, match=r"(?s)ended before.*good-bye"):
        terminal.wait_for("never", seconds=60)


def test_a_killed_program_has_its_signal_as_status(place: Place) -> None:
    terminal = program(place, "print('here'); input()")
    terminal.wait_for("here")
    terminal.signal(signal.SIGKILL)
    assert terminal.wait_exit() == -signal.SIGKILL


def test_resizing_reaches_the_program(place: Place) -> None:
    terminal = program(
        place,
        "import os, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()",
    )
    terminal.wait_for("ready")
    terminal.resize(50, 12)
    terminal.wait_for("columns=50, lines=12")


@pytest.mark.parametrize("cut", range(1, 12))
def test_sequences_that_arrive_in_pieces_are_drawn_whole(cut: int) -> None:
    emulator = Emulator(20, 2)
    written = b"a\x1b[<u\x1b[>1u\x1b[1mb\x1bP=1s\x1b\\c"
    emulator.feed(written[:cut])
    emulator.feed(written[cut:])
    assert emulator.lines[0] == "abc"


def test_what_a_place_started_is_found_and_ended() -> None:
    place = Place()
    try:
        place.terminal([sys.executable, "-c", "print('here', flush=True); input()"]).wait_for("here")
        assert len(place.processes(sys.executable)) == 1
    finally:
        place.clean()
    assert place.processes() == []
    assert not place.runtime.exists()
