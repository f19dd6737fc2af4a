"""A user who steps: presses keys, and reads phases, effects and figures off the screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from harness.place import Place
from harness.terminal import Terminal

_PAUSED = re.compile(
    r"PAUSED (?:(?:before (?P<next>\w+)\??|(?P<within>inside .+?))(?=  | [·.] |$)|(?P<end>at the end|on \w+))"
)
_UPDATE = re.compile(r"update ([\d,]+)( done)?")


class Shown(NamedTuple):
    """Where the header says that training waits."""

    next: str | None
    """The phase that comes next; None at the end of the script."""
    update: int | None
    """None where the header has no room for it."""
    complete: bool = False
    """Whether the header says that this update is done."""
    within: str | None = None
    """Where in a phase: `inside forward, after model.fc1`."""


def shown(terminal: Terminal) -> Shown | None:
    """The stop that the screen shows; None while it shows none."""
    header = terminal.lines[0]
    paused = _PAUSED.search(header)
    if paused is None:
        return None
    update = _UPDATE.search(header)
    number = int(update[1].replace(",", "")) if update else None
    return Shown(paused["next"], number, bool(update and update[2]), paused["within"])


def wait_stop(terminal: Terminal, seconds: float = 60.0) -> Shown:
    """Wait until training waits."""
    terminal.wait_until(lambda: shown(terminal), "a stop", seconds)
    stop = shown(terminal)
    assert stop is not None
    return stop


def move(terminal: Terminal, key: str, seconds: float = 30.0) -> Shown:
    """Press a key that moves training, and wait for the stop that it leads to."""
    before = shown(terminal)
    terminal.press(key)
    terminal.wait_until(lambda: shown(terminal) not in (None, before), f"a new stop after {key!r} at {before}", seconds)
    return wait_stop(terminal)


def step_to(terminal: Terminal, phase: str | None, limit: int = 40) -> Shown:
    """Press `n` until this phase comes next (None: until the script has ended)."""
    stop = wait_stop(terminal)
    for _ in range(limit):
        if stop.next == phase:
            return stop
        stop = move(terminal, "n")
    raise AssertionError(f"{phase} did not come within {limit} phases\n{terminal.picture()}")


def under(terminal: Terminal, phase: str) -> str:
    """What the rail says under a phase: its effects, its time."""
    for row, line in enumerate(terminal.lines[1:4], start=1):
        found = re.search(rf"(?<!\w){phase}\b", line)
        if found is None:
            continue
        behind = re.search(r"[─▶>\-⟲\s●○]+(?=[a-z↳])", line[found.end() :])
        end = found.end() + behind.end() if behind else terminal.columns
        return " ".join(" ".join(below[found.start() : end].split()) for below in terminal.lines[row + 1 : row + 4])
    raise AssertionError(f"{phase} is not on the rail\n{terminal.picture()}")


def words(terminal: Terminal) -> str:
    """All that is on the screen, as running text."""
    return " ".join(terminal.text.split())


def session(place: Place) -> Path:
    """The folder of the one session."""
    (folder,) = [path for path in place.runtime.iterdir() if path.is_dir()]
    return folder


def printed(place: Place) -> bytes:
    """What the script has written to its terminal."""
    return (session(place) / "output.log").read_bytes()


def leave(terminal: Terminal, choice: str) -> None:
    """Press `q` and choose: `go on`, `stay` or `stop`."""
    terminal.press("q")
    terminal.wait_for("Leave the session")
    terminal.press(QUIT_KEYS[choice])


QUIT_KEYS = {"go on": "g", "stay": "s", "stop": "t"}
"""What the question after `q` is answered with."""
