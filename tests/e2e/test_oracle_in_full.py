"""The oracle in full: every boundary inspected, every phase stepped into by all its units, every panel and view opened,
and the run ends in the bits of a bare one: weights, optimizer state, version counters, random states, output.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from harness import warm
from harness.deadline import deadline
from harness.place import DEMOS, Place
from harness.stepping import Shown, leave, move, printed, wait_stop
from harness.terminal import Terminal


class Demo(NamedTuple):
    """A demo, and how what it has trained is got hold of at its end."""

    name: str
    updates: int
    arguments: tuple[str, ...]
    made: tuple[tuple[str, str], ...]
    """Lines that make a model or an optimizer, and what keeps it."""


MNIST = Demo(
    "mnist.py",
    2,
    ("--digest",),
    (("model = Net()", "KEPT.append(model)"), ("optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)",
                                               "KEPT.append(optimizer)")),
)  # fmt: skip
CHARLM = Demo(
    "charlm.py",
    1,
    ("--epochs", "1", "--digest"),
    (("scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up_then_cosine)", "KEPT += [model, optimizer]"),),
)
INTO = ("forward", "backward", "step")
"""Phases that are gone through by operators or nodes in the second update; in the first all are, by larger units."""
SEEDED = """import argparse
import random

import numpy

random.seed(0)
numpy.random.seed(0)
KEPT = []
"""
EVERYTHING = """

if __name__ == "__main__":
    found = hashlib.sha256()
    model, optimizer = KEPT
    for tensor in [*model.state_dict().values(), *(parameter.grad for parameter in model.parameters())]:
        found.update(tensor.numpy().tobytes())
    print("weights and gradients", found.hexdigest(), [parameter._version for parameter in model.parameters()])
    for parameter in model.parameters():
        for key, value in sorted(optimizer.state[parameter].items()):
            found.update(key.encode() + value.numpy().tobytes() + bytes([value._version]))
    print("optimizer", found.hexdigest(), [
        {key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups
    ])
    states = (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    print("random", hashlib.sha256(repr(states).encode()).hexdigest())
"""


def program(demo: Demo, folder: Path) -> Path:
    """The demo, with a digest of all that it leaves behind printed at its end."""
    text = (DEMOS / demo.name).read_text(encoding="utf-8").replace("import argparse\n", SEEDED, 1)
    for made, keep in demo.made:
        assert text.count(made) == 1
        text = re.sub(rf"^( *)({re.escape(made)})$", rf"\1\2\n\1{keep}", text, flags=re.MULTILINE)
    path = folder / demo.name
    path.write_text(text + EVERYTHING, encoding="utf-8")
    (folder / "data").symlink_to(DEMOS / "data")
    return path


def seen(terminal: Terminal, keys: str, pattern: str) -> None:
    """Press keys, and wait until what they open is drawn."""
    terminal.type(keys)
    terminal.wait_for_match(pattern)


def look_at_everything(terminal: Terminal, stop: Shown) -> int:
    """Every panel and every view of it; how many were seen."""
    trained = stop.update == 2
    views = [
        ("1", r"grad norm"),
        ("gjj\r", r"model\.(conv|embedding)\.weight \[\d(?s:.*) min +max +mean +std +norm"),
        *parts_and_pictures(trained),
        ("a", r"ONE tensor, \d owners"),
        ("B", r"graph of|No graph"),
        ("\x1b", gone("graph of|No graph")),
        ("2", r"min +max +mean +std +norm"),
        ("W", r"what step would do to (?s:.*)(together|has no gradient)"),
        ("W", r"min +max +mean +std +norm"),  # back to where it was opened from
        ("3", r"hyperparameter"),
        ("4", r"group 0(?s:.*)betas"),
        ("5", r"lowest|No loss|no loss|No backward yet" if not trained else r"update 1"),
        ("6", r" ▶ +\d+ (?s:.*)(DataLoader\(|CharLM|model +Net)"),
        ("L", r"› +\w+ +\S"),
        ("L7", r"Nothing printed"),
        ("B", r"graph of|No graph"),
        ("\x1b", gone("graph of|No graph")),
        ("8", r"No breakpoints"),
        ("9", r"enter run"),
        ("sum(p.sum().item() for p in model.parameters())\r", r"sum\(p\.sum.*\n.*\d\.\d{6}"),
        ("torch.get_rng_state().sum().item()\r", r"rng_state.*\n\W*\d{5}"),
    ]
    for keys, pattern in views:
        seen(terminal, keys, pattern)
    seen(terminal, "\x0c", gone("rng_state"))  # clear what was said
    seen(terminal, "\x1b", r"n next")  # leave the input
    return len(views)


def gone(pattern: str) -> str:
    """What matches a screen on which that is nowhere."""
    return rf"(?s)\A(?!.*(?:{pattern}))"


def parts_and_pictures(trained: bool) -> list[tuple[str, str]]:
    """Of the Tensor panel: all parts, modes, sides, a slice, and the search."""
    ask = ("@", "Go to an element")
    views = [ask, ("[:1]\r", r"\[:1[^]]*\] +-?\d"), ask, ("\x15\r", gone("Go to"))]
    if not trained:
        return views
    sides = [("D", r"\[before\]"), ("D", r"\[change\]"), ("D", r"\[now\]")]
    modes = [("m", r"value +before +change"), ("m", gone("▌|value +before +change")), ("m", r"▌"), ("m", r"▌")]
    parts = [("v", rf"› {part} ") for part in ("grad", "step", "exp_avg", "exp_avg_sq", "value")]
    mark = ("*", "Mark elements")
    search = [mark, ("> 0\r", r"\*-?\d"), ("><", r"\*-?\d"), mark, ("\x15\r", gone("Mark elements"))]
    return [*views, *sides, *modes, ("MMM", r"▌"), *parts, *search]


@pytest.mark.timeout(deadline(300))
@pytest.mark.parametrize("demo", [MNIST, CHARLM], ids=lambda demo: demo.name)
def test_inspected_in_full_stepped_into_and_with_every_panel_opened_it_ends_in_the_same_bits(
    place: Place, demo: Demo, tmp_path: Path
) -> None:
    script = program(demo, tmp_path)
    arguments = ("--updates", str(demo.updates), *demo.arguments)
    terminal = place.terminal([sys.executable, script, *arguments])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)
    assert all(word in bare for word in (b"weights and gradients", b"optimizer", b"random", b"digest"))

    terminal = place.stepdbg(*warm.option(), script, *arguments, size=(110, 44))
    stop = wait_stop(terminal)
    terminal.press("z")
    boundaries, looked, inside = 0, 0, set()
    while stop.next is not None or stop.within is not None:
        if stop.within is None:
            boundaries += 1
            if stop.update == demo.updates or boundaries % 3 == 1:  # all of the last update, which has the most to see
                looked += look_at_everything(terminal, stop)
            stop = move(terminal, "I" if stop.update == 2 and stop.next in INTO else "s")
            units = 0
            continue
        units += 1
        inside.add((stop.within.split(",")[0], stop.update))
        terminal.type("V")
        terminal.wait_for_match(r"min +max +mean +std +norm")
        stop = move(terminal, "n" if units == 3 else "s" if stop.update == 1 else "I")
    assert looked > 100
    assert {(f"inside {phase}", update) for phase in INTO for update in range(1, demo.updates + 1)} <= inside
    assert printed(place) == bare
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
