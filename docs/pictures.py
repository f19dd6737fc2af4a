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
SMALL, FLAT, TALL, WIDE = (80, 24), (100, 22), (100, 29), (160, 50)


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
    terminal.wait_for_match(rf"›[*+~?!-]* *\S*{re.escape(row)} +[=\w]")
    terminal.wait_for("enter keep")
    terminal.press("enter")
    terminal.wait_for_no("enter keep")


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
    """The second backward of a loop that never clears its gradients, and what a rule finds at its second step."""
    step_to(terminal, "step")
    step_to(terminal, "data")
    step_to(terminal, "step")
    yield "broken-no-zero-grad"
    move(terminal, "n")
    terminal.press("K", "enter")
    terminal.wait_for("call optimizer.zero_grad() once")
    yield "findings"


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


def updates(terminal: Terminal, number: int) -> None:
    """Go to where the update after so many opens."""
    for _ in range(number):
        move(terminal, "f")


def into(terminal: Terminal, *units: str) -> None:
    """Step into the phase that comes, to the last of these units, which come one after the other."""
    for unit in units:
        terminal.press("s")
        terminal.wait_for(f", after {unit} ·")


def filtered(terminal: Terminal) -> Iterator[str]:
    """What the third step moved of all linear layers, the furthest first."""
    updates(terminal, 2)
    step_to(terminal, "scheduler")
    find(terminal, "class:Linear changed", "weight")
    terminal.click_on("Δ/‖w‖")
    terminal.wait_for("by Δ/‖w‖")
    terminal.press("home")
    terminal.wait_for("1-12 of 16")
    yield "model-filtered"


def before_and_after(terminal: Terminal) -> Iterator[str]:
    """A weight, what was before the step, and what the step changed."""
    updates(terminal, 2)
    step_to(terminal, "step")
    move(terminal, "n")
    find(terminal, "fc2", "weight")
    terminal.press("enter")
    terminal.wait_for("model.fc2.weight [0, 0]", "[now]")
    terminal.press("D", "D")
    terminal.wait_for("[change]")
    yield "tensor-change"


def foreseen(terminal: Terminal) -> Iterator[str]:
    """The next step of a weight, taken apart."""
    updates(terminal, 2)
    step_to(terminal, "step")
    find(terminal, "0.project", "weight")
    terminal.press("W")
    terminal.wait_for("step comes next", "together")
    yield "foresight"


def graph_behind(terminal: Terminal) -> Iterator[str]:
    """What backward is about to walk: from the loss down to the parameters."""
    step_to(terminal, "backward")
    terminal.press("B")
    terminal.wait_for("graph of loss", "nodes")
    terminal.press("home")
    terminal.wait_for_match(r"› +1 ●")
    terminal.press(*["down"] * 2)
    terminal.wait_for_match(r"› +3 ●")
    yield "graph"


def inside_forward(name: str) -> Callable[[Terminal], Iterator[str]]:
    """A forward, gone into as far as the last layer but one."""

    def play(terminal: Terminal) -> Iterator[str]:
        updates(terminal, 2)
        step_to(terminal, "forward")
        into(terminal, "model.conv", "model.norm", "model.fc1")
        terminal.press("3")
        terminal.wait_for("Linear model.fc1", "output")
        yield name

    return play


def inside_step(terminal: Terminal) -> Iterator[str]:
    """A step, gone into as far as its third parameter; what it is still to do to another."""
    updates(terminal, 2)
    step_to(terminal, "step")
    into(terminal, "model.conv.weight", "model.conv.bias", "model.norm.weight")
    find(terminal, "fc2", "weight")
    terminal.press("W")
    terminal.wait_for("this step is still to do this")
    yield "into-step"


SCENES = {
    "small": Scene(("demos/mnist.py",), SMALL, gradients_written("small")),
    "wide": Scene(("demos/mnist.py",), WIDE, gradients_written("wide")),
    "tour": Scene(("demos/tour.py",), FLAT, first_update),
    "dead-relu": Scene(("demos/tour.py",), FLAT, dead_relu),
    "no-zero-grad": Scene(("demos/broken.py", "--no-zero-grad"), FLAT, added_to),
    "forgotten-layer": Scene(("demos/broken.py", "--forgotten-layer"), (120, 28), left_out),
    "double-softmax": Scene(("demos/broken.py", "--double-softmax"), FLAT, squeezed),
    "model-filtered": Scene(("demos/charlm.py",), SMALL, filtered),
    "tensor-change": Scene(("demos/mnist.py",), TALL, before_and_after),
    "foresight": Scene(("demos/charlm.py",), FLAT, foreseen),
    "graph": Scene(("demos/mnist.py",), TALL, graph_behind),
    "into-forward": Scene(("demos/mnist.py",), WIDE, inside_forward("into-forward")),
    "into-forward-small": Scene(("demos/mnist.py",), SMALL, inside_forward("into-forward-small")),
    "into-step": Scene(("demos/mnist.py",), SMALL, inside_step),
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
