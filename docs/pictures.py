"""`make pictures`: all pictures of README and docs, taken from real runs of the real program on a pty.

The program steps through the demos as a user would, scene by scene; what a terminal emulator then shows is written as
SVG, and as PNG beside it for eyes that have no browser at hand. `python docs/pictures.py tour` takes one scene alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from drawing import svg
from harness.place import Place
from harness.stepping import move, step_to, wait_stop
from harness.terminal import Terminal

FOLDER = Path(__file__).resolve().parent / "pictures"
SMALL, FLAT, WIDE = (80, 24), (100, 22), (160, 50)


class Scene(NamedTuple):
    """A run of the program, and the moments of it that are pictures."""

    arguments: tuple[str, ...]
    size: tuple[int, int]
    play: Callable[[Terminal], Iterator[str]]
    """Presses keys, and yields the name of a picture whenever the screen shows what it is of."""


def find(terminal: Terminal, words: str, row: str) -> None:
    """Filter the Model panel by these words, and wait until this row has the cursor: sentence and rail name a tensor
    that has just been made before the panel has a row for it.
    """
    terminal.press("/")
    terminal.wait_for("part of a name")
    terminal.type(words)
    terminal.wait_for_match(rf"›[*+~?-]* *\S*{re.escape(row)} +[=\w]")
    terminal.press("enter")
    terminal.wait_for("enter open")


def gradients_written(name: str) -> Callable[[Terminal], Iterator[str]]:
    """Stop in the third update, right after `backward` has written the gradients."""

    def play(terminal: Terminal) -> Iterator[str]:
        for _ in range(2):
            step_to(terminal, "step")
            step_to(terminal, "data")
        step_to(terminal, "step")
        yield name

    return play


def first_update(terminal: Terminal) -> Iterator[str]:
    """Each phase of the first update of two weights."""
    for number, phase in enumerate(("zero_grad", "forward", "loss", "backward", "step"), start=1):
        move(terminal, "n")
        yield f"tour-{number}-{phase}"


def dead_relu(terminal: Terminal) -> Iterator[str]:
    """The first update again, after an edit that leaves relu nothing to let through."""
    terminal.wait_for_match(r"›[ ~]+w1\b")
    terminal.press("e")
    terminal.wait_for("enter: preview")
    terminal.type("-2")
    terminal.press("enter")
    terminal.wait_for("enter: do it")
    terminal.press("enter")
    terminal.wait_for_no("enter: do it")
    step_to(terminal, "step")
    move(terminal, "n")
    terminal.wait_for_no("▌", seconds=30)  # what was edited is said for a while
    yield "tour-dead"


def added_to(terminal: Terminal) -> Iterator[str]:
    """The second backward of a loop that never clears its gradients."""
    step_to(terminal, "step")
    step_to(terminal, "data")
    step_to(terminal, "step")
    yield "broken-no-zero-grad"


def left_out(terminal: Terminal) -> Iterator[str]:
    """The first step of an optimizer that lacks a layer."""
    step_to(terminal, "step")
    move(terminal, "n")
    yield "broken-forgotten-layer"


def squeezed(terminal: Terminal) -> Iterator[str]:
    """What comes out of a model that takes the softmax itself."""
    step_to(terminal, "loss")
    find(terminal, "scores", "scores")
    terminal.press("enter")
    terminal.wait_for("scores [0, 0]")
    yield "broken-double-softmax"


SCENES = {
    "small": Scene(("demos/mnist.py",), SMALL, gradients_written("small")),
    "wide": Scene(("demos/mnist.py",), WIDE, gradients_written("wide")),
    "tour": Scene(("demos/tour.py",), FLAT, first_update),
    "dead-relu": Scene(("demos/tour.py",), FLAT, dead_relu),
    "no-zero-grad": Scene(("demos/broken.py", "--no-zero-grad"), FLAT, added_to),
    "forgotten-layer": Scene(("demos/broken.py", "--forgotten-layer"), (120, 28), left_out),
    "double-softmax": Scene(("demos/broken.py", "--double-softmax"), FLAT, squeezed),
}
"""By the names that the command line takes."""


def take(scene: Scene) -> None:
    """Play a scene, and write its pictures."""
    import cairosvg

    place = Place()
    try:
        terminal = place.stepdbg(*scene.arguments, size=scene.size)
        wait_stop(terminal)
        for name in scene.play(terminal):
            terminal.read_for(1.0)  # the panels' figures come after the rail
            title = f"stepdbg {' '.join(scene.arguments)} at {scene.size[0]}×{scene.size[1]}: {name}"
            picture = svg(terminal.emulator.screen, title)
            (FOLDER / f"{name}.svg").write_text(picture)
            cairosvg.svg2png(bytestring=picture.encode(), write_to=str(FOLDER / f"{name}.png"), scale=1.5)
            print(terminal.picture())
    finally:
        place.clean()


def main(names: list[str]) -> int:
    """Take the pictures of these scenes, or of all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or SCENES:
        take(SCENES[name])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
