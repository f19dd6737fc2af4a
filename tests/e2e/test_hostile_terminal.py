"""Hostile names on a real terminal, and a terminal that comes back from every signal, size and stream."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import sys
import termios
from pathlib import Path

import pytest
from harness import warm
from harness.place import STEPDBG, Place
from harness.terminal import Terminal

FAKE = [sys.executable, "-m", "stepdbg.tui.serve"]
"""The screen on the fake debuggee: all of the client, and no torch."""
TEXTUALS_OWN = re.compile(
    rb"\x1b\[\d*(?:;\d*)*[mH]"  # colours, moves
    rb"|\x1b\[\?\d+(?:[hl]|\$p)"  # modes set, reset, asked for
    rb"|\x1b\[[<>=][\d;]*u"  # the keyboard protocol
    rb"|\x1b\]22;\w+\x07"  # the shape of the pointer
    rb"|\x1b\]52;c;[\w+/=]*\x07"  # what `y` has copied
)
ESCAPE = "\x1b[27u"
"""As the keyboard protocol has it: a bare escape with the next key at its heels would be alt and that key."""
HOSTILE = """\
import torch, stepdbg
from torch import nn
def evil(word): return f"e{word}\\x1b]0;PWN{word}\\x07\\x9b2J\\u202ez"
def forward(self, x): return self._modules[evil("MODULE")](x) * self._parameters[evil("PARAM")]
Net = type(evil("CLASS"), (nn.Module,), dict(forward=forward))
model = Net()
model.add_module(evil("MODULE"), nn.Linear(4, 1))
model.register_parameter(evil("PARAM"), nn.Parameter(torch.ones(1)))
model.register_buffer(evil("BUFFER"), torch.zeros(1))
code = compile('''
def train():
    for update in range(4):
        batch = torch.randn(5, 4)
        text = evil("TEXT")
        loss = model(batch).pow(2).mean()
        globals()[evil("LOSS")] = loss
        print(evil("OUTPUT"), flush=True)
        with stepdbg.phase(evil("PHASE")):
            pass
        stepdbg.watch(evil("WATCH"), float(update))
        loss.backward()
        model.zero_grad()
    raise RuntimeError(evil("EXCEPTION"))
''', "/tmp/" + evil("FILE") + ".py", "exec")
exec(code, globals())
train.__code__ = train.__code__.replace(co_name=evil("FUNCTION"), co_qualname=evil("FUNCTION"))
train()
"""


def others(terminal: Terminal) -> set[bytes]:
    """Sequences on the terminal that are none of Textual's own, with what follows them."""
    left = TEXTUALS_OWN.sub(b"", bytes(terminal.transcript))
    return set(re.findall(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f].{0,20}|\xc2[\x80-\x9f].{0,20}|\xe2\x80[\xaa-\xae]", left))


def test_no_name_output_or_exception_of_a_script_commands_the_terminal_in_any_panel(
    place: Place, tmp_path: Path
) -> None:
    script = tmp_path / "hostile.py"
    script.write_text(HOSTILE)
    terminal = place.stepdbg(*warm.option(), "--fresh", "--no-hints", script, "\x1b]0;PWNARG\x07", size=(160, 50))
    terminal.wait_for("PAUSED", seconds=60)

    def look(*keys: str) -> None:
        for key in keys:
            terminal.press(ESCAPE if key == "escape" else key)
            terminal.finish_frame()

    look("n", "n", "n", "n")  # forward, loss, the phase of its own, backward
    look(*"12345678", "1", "down", "enter", "escape", "a", "escape", "B", "escape", "b", "escape", "1", "down")
    look("y", "e", "escape", "ctrl+s", "escape", "6", "L", "L", "ctrl+p", "escape", "?", "escape")
    look("!")
    terminal.wait_for(">>>")
    terminal.type('raise RuntimeError(evil("CONSOLE"))\r')
    terminal.wait_for("CONSOLE")
    look("escape", "c")
    terminal.wait_for("eEXCEPTION")
    look(*"12345678")
    assert others(terminal) == set()
    assert "␛]0;PWN" in terminal.text or b"\xe2\x90\x9b]0;PWN" in terminal.transcript


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ((signal.SIGCONT,), 0),
        ((signal.SIGTSTP, signal.SIGCONT), 0),
        ((signal.SIGSTOP, signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT), 0),
        ((signal.SIGQUIT,), 128 + signal.SIGQUIT),
        ((signal.SIGUSR1,), 128 + signal.SIGUSR1),
        ((signal.SIGALRM,), 128 + signal.SIGALRM),
    ],
    ids=lambda value: "+".join(one.name for one in value) if isinstance(value, tuple) else "",
)
def test_the_terminal_is_as_it_was_after_any_signal(
    place: Place, numbers: tuple[signal.Signals, ...], status: int
) -> None:
    terminal = place.terminal(FAKE)
    before = termios.tcgetattr(terminal.keyboard)
    terminal.wait_for("PAUSED")
    terminal.finish_frame()
    for number in numbers:
        terminal.signal(number)
        if number in (signal.SIGSTOP, signal.SIGTSTP):
            assert os.WIFSTOPPED(os.waitpid(terminal.pid, os.WUNTRACED)[1])
        elif number == signal.SIGCONT:
            seen = len(terminal.transcript)
            terminal.wait_until(lambda seen=seen: len(terminal.transcript) > seen + 500, "the screen anew")  # type: ignore[misc]
            terminal.wait_for("PAUSED")
    if not status:
        terminal.press("q")
        terminal.wait_for("detach")
        terminal.press("t")
    assert terminal.wait_exit() == status
    assert terminal.emulator.leftovers() == []
    assert termios.tcgetattr(terminal.keyboard) == before


def test_bytes_that_are_no_text_are_typed_into_a_screen_that_goes_on(place: Place) -> None:
    terminal = place.terminal(FAKE)
    terminal.wait_for("PAUSED before")
    for data in (b"\xe9 ", b"\x1b[200~\xff\xfe\xed\xa0\x80\x1b[201~", b"\x1b[99999999999u", b"\x1b[<9999999999;1;1M"):
        os.write(terminal.keyboard, data)
    terminal.press(ESCAPE, "?")
    terminal.wait_for("Keys")


@pytest.mark.parametrize(
    "variables", [{"COLUMNS": "70000"}, {"LINES": "-1", "COLUMNS": "nought"}, {"LINES": "9999999"}]
)
def test_the_terminals_own_size_counts_whatever_the_environment_says(place: Place, variables: dict[str, str]) -> None:
    terminal = place.terminal(FAKE, **variables)
    terminal.wait_for("PAUSED")
    assert max(map(len, terminal.lines)) <= 80
    assert terminal.lines[-1]  # the footer


def test_a_terminal_that_says_no_size_is_drawn_on(place: Place) -> None:
    terminal = place.terminal(FAKE, size=(80, 24))
    terminal.wait_for("PAUSED")
    fcntl.ioctl(terminal.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    terminal.press("?")
    terminal.wait_for("Keys")


def test_the_screen_is_on_the_terminal_where_stderr_is_a_file(place: Place, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    terminal = place.terminal(["bash", "-c", f'exec "$@" 2>{errors}', "bash", *FAKE])
    terminal.wait_for("PAUSED")
    assert errors.read_text() == ""


def test_what_leads_to_no_terminal_is_refused_in_one_line(place: Place) -> None:
    for redirection in ("</dev/null", ">/dev/null", "<&-", ">&-"):
        terminal = place.terminal(
            ["bash", "-c", f'"$@" {redirection}; echo "status $?"', "bash", STEPDBG, "ls.py", "x"]
        )
        assert terminal.wait_exit() == 0
        said = terminal.transcript.decode()
        assert "status 2" in said, said
        assert said.count("stepdbg: ") == 1, said
        assert "Traceback" not in said


def test_after_a_crash_the_traceback_is_left_on_the_terminal_and_commands_nothing(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "crash.py"
    script.write_text('print("one", flush=True)\nraise RuntimeError("e\\x1b]0;PWN\\x07z")\n')
    terminal = place.stepdbg(*warm.option(), "--fresh", "--no-hints", script)
    terminal.wait_for("EXITED")
    terminal.press("q")
    assert terminal.wait_exit() == 0
    assert terminal.emulator.leftovers() == []
    assert "Traceback (most recent call last):" in terminal.text
    assert "RuntimeError: e" in terminal.text
    assert others(terminal) == set()
