"""`--watch`: without a screen, lines on stderr or rows of a file; the target is as it would be without."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from harness import warm

from commands.scripts import HEADLESS, STEPDBG, TRAINING, bare, run, write

TRAINS = TRAINING + "train(3)\nprint('trained', model.weight.norm().item())\nsys.exit(3)\n"


@pytest.fixture(autouse=True)
def runtime(runtime_folder: Path) -> None:
    """A runtime folder of one's own."""


def test_what_is_watched_is_a_line_for_each_update_that_is_sampled(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINS)
    status, out, err = run(
        *HEADLESS, *warm.option(), "-w", "loss", "--watch", "norm(model.weight)", "-w", "missing", script
    )
    assert (status, out) == bare(script)[:2]
    lines = err.decode().splitlines()
    first = next(line for line in lines if line.startswith("stepdbg: update 1: "))
    assert [word.partition(" = ")[0] for word in first.removeprefix("stepdbg: update 1: ").split(", ")] == [
        "loss", "norm(model.weight)",
    ]  # fmt: skip
    assert "stepdbg: the watch missing: NameError: name 'missing' is not defined" in lines


def test_values_are_rows_of_a_file(tmp_path: Path) -> None:
    script, file = write(tmp_path, TRAINS), tmp_path / "values.csv"
    status, out, err = run(*HEADLESS, *warm.option(), "-w", "norm(model.weight)", "--watch-csv", file, script)
    assert (status, out, err) == bare(script)
    rows = [*csv.reader(file.read_text().splitlines())]
    assert rows[0] == ["rank", "update", "watch", "value"]
    assert rows[1][:3] == ["0", "1", "norm(model.weight)"]
    last = [row for row in rows if row[1] == "3"]
    assert [float(row[3]) for row in last] in ([], [pytest.approx(float(out.split()[1]))])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*HEADLESS, "-w", "loss +", "train.py"], "the watch 'loss +' is no expression of Python: invalid syntax"),
        ([*HEADLESS, "--watch-csv", "f.csv", "train.py"], "--watch-csv needs something to write"),
        (
            [*HEADLESS, "-w", "loss", "--watch-csv", "no/f.csv", "train.py"],
            "cannot write the watched values to no/f.csv",
        ),
        ([*HEADLESS, "-w", "loss", "--watch-csv", "train.py", "train.py"], "which is the target itself"),
        ([*STEPDBG, "-w", "loss", "--watch-csv", "f.csv", "train.py"], "--watch-csv is for `stepdbg run --headless`"),
        ([*STEPDBG, "train.py", "-w"], "stdin and stdout must be a terminal"),
    ],
)
def test_bad_input_is_one_line_with_its_remedy(arguments: list[str], says: str, tmp_path: Path) -> None:
    write(tmp_path, TRAINS)
    status, out, err = run(*arguments, cwd=tmp_path)
    assert (status, out) == (2, b"")
    assert says in err.decode()
    assert err.count(b"\n") == 1
