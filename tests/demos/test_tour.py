"""docs/tour.md says what stepdbg shows of demos/tour.py: each number, each sentence."""

from __future__ import annotations

import re
from pathlib import Path

from harness.place import DEMOS, ROOT, Place
from scripts.checking import check
from scripts.courses import Course
from scripts.running import run
from tracer.bare_hub import Debuggee, debuggee

from stepdbg.protocol import messages as m
from stepdbg.tui.drawing.numbers import figure
from stepdbg.tui.panels.tensor.view import numbers
from stepdbg.tui.words.sentence import sentence

TOUR, UPDATES = DEMOS / "tour.py", 2
TEXT = (ROOT / "docs" / "tour.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
PHASES = ("zero_grad", "forward", "loss", "backward", "step")


class Seen:
    """What is shown at each stop after the first: the phase, the sentence, and the number of every object there is."""

    def __init__(self) -> None:
        self.stops: list[tuple[int, str, str, dict[str, str]]] = []

    def __call__(self, training: Debuggee, stop: m.Stop) -> None:
        if stop.boundary.done is None:
            return
        found = {}
        for row in training.ask(m.ListObjects()).rows:
            for part in (row.name, f"{row.name}.grad"):
                view = training.ask(m.LookAt(part, rows=1, columns=1))
                if isinstance(view, m.TensorView) and view.window is not None:
                    found[part] = figure(float(numbers(view.window)[0]))
        boundary = stop.boundary
        self.stops.append((boundary.update, boundary.done, sentence(stop, "model"), found))


def as_shown(written: str) -> str:
    return "none" if written == "none" else figure(float(written))


def table(section: str) -> list[dict[str, str]]:
    """The rows of a section's table, by the words of its head."""
    lines = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"
    ]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def check_the_table(section: str, seen: Seen) -> None:
    rows = table(section)
    assert len(rows) == len(seen.stops)
    for row, (update, done, _, found) in zip(rows, seen.stops, strict=True):
        assert (row.pop("update"), row.pop("after")) == (str(update), done)
        for name, written in row.items():
            assert (done, name, found.get(name, "none")) == (done, name, as_shown(written))


def test_every_number_and_sentence_of_the_tour_is_the_one_that_stepdbg_shows(place: Place, tmp_path: Path) -> None:
    seen = Seen()
    runs = run(place, TOUR, tmp_path / "trace.jsonl", "--updates", str(UPDATES), "--digest", look=seen)
    check(
        runs,
        Course(
            [" ".join(PHASES)] * UPDATES,
            names={"model.w1", "model.w2", "y_hat", "optimizer"},
            effects={"backward": {"model.w1.grad", "model.w2.grad"}, "step": {"model.w1", "model.w2"}},
        ),
    )
    for number, phase in enumerate(PHASES, start=1):
        section = SECTIONS[f"{number}. {phase}"]
        _, done, said, found = seen.stops[number - 1]
        assert done == phase
        assert [" ".join(quoted.split()) for quoted in re.findall(r"^> (.*)$", section, re.MULTILINE)] == [said]
        written = re.findall(r"`([\w.]+) = (-?[\d.]+)`", section)
        assert len(written) >= (phase != "zero_grad")
        for name, number_written in written:
            assert found[name] == as_shown(number_written), f"{name} after {phase}"
    check_the_table(SECTIONS["The second update"], seen)
    place.wait_empty()


def test_the_dead_relu_of_the_tour_is_as_dead_as_it_says() -> None:
    seen = Seen()
    with debuggee(str(TOUR)) as training:
        training.stop()
        preview = training.ask(m.PreviewEdit("model.w1", "-2", ()))
        assert isinstance(training.ask(m.ApplyEdit(preview.token)), m.EditDone)
        for phase in PHASES:
            stop = training.go()
            assert stop is not None
            assert stop.boundary.done == phase
            seen(training, stop)
    section = SECTIONS["Kill it"]
    check_the_table(section, seen)
    quoted = re.findall(r"^> (.*)$", section, re.MULTILINE)
    assert quoted
    assert set(quoted) <= {said for _, _, said, _ in seen.stops}
