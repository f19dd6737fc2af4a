"""demos/broken.py: each mistake shows in what stepdbg reports, and a healthy run shows none of them."""

from __future__ import annotations

from pathlib import Path

from harness.place import DEMOS, Place
from scripts.checking import check
from scripts.courses import Course
from scripts.running import Stepped, run, step_through
from tracer.bare_hub import Debuggee

from stepdbg.protocol import messages as m

BROKEN = DEMOS / "broken.py"
UPDATES = 3


class Signs:
    """What docs/broken.md tells the reader to look at, gathered while stepping."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.moved: set[str] = set()
        self.state_table: set[str] = set()
        self.scores: list[m.Statistics] = []

    def __call__(self, training: Debuggee, stop: m.Stop) -> None:
        if stop.boundary.done == "forward":
            view = training.ask(m.LookAt("scores"))
            self.scores.append(view.statistics)
        if stop.boundary.done == "step":
            assert stop.effects is not None
            self.moved |= {effect.object for effect in stop.effects.named if effect.what == "changed"}
            rows = training.ask(m.ListObjects()).rows
            self.owners = {row.name: row.owner for row in rows if row.node == "parameter"}
            self.state_table = {
                row.parameter for one in training.ask(m.ListOptimizers()).optimizers for row in one.state_table
            }


def gradients(stepping: Stepped) -> list[set[str]]:
    """What became of the gradients in each backward."""
    return [
        {count.what for count in stop.effects.counts if count.kind == "grad"}
        for stop in stepping.stops
        if stop.boundary.done == "backward" and stop.effects
    ]


def test_each_mistake_shows_in_what_is_reported(place: Place, tmp_path: Path) -> None:
    signs = Signs()
    mistakes = ("--no-zero-grad", "--forgotten-layer", "--double-softmax")
    runs = run(place, BROKEN, tmp_path / "trace", *mistakes, "--updates", str(UPDATES), "--digest", look=signs)
    update = "data forward loss backward step"
    check(
        runs,
        Course([update, update, f"{update} eval eval"], names={"model.head.weight", "scores", "optimizer"}, epochs=[1]),
        wrong=("stale-gradients", "orphan-in-optimizer", "activated-logits"),
    )
    assert gradients(runs.stepping) == [{"created"}, {"changed"}, {"changed"}]  # never cleared: added to
    assert signs.owners["model.head.weight"] == signs.owners["model.head.bias"] == ""
    assert signs.owners["model.body.1.weight"] == "optimizer[0]"
    assert "model.head.weight" not in signs.moved | signs.state_table
    assert "model.body.1.weight" in signs.moved & signs.state_table
    assert all(scores.min >= 0 and scores.max <= 1 for scores in signs.scores)
    place.wait_empty()


def test_without_a_mistake_none_of_the_signs_is_there() -> None:
    signs = Signs()
    outcome, stepping = step_through(str(BROKEN), "--updates", str(UPDATES), look=signs)
    assert outcome.status == 0
    assert gradients(stepping) == [{"created"}] * UPDATES
    assert set(signs.owners.values()) == {"optimizer[0]"}
    assert set(signs.owners) <= signs.moved
    assert all(scores.min < 0 for scores in signs.scores)
