"""A breakpoint on a line, from the command line: what cannot be met is told at once, what is met stops the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness import warm
from harness.deadline import deadline
from hub.room import runtime

from commands.scripts import HEADLESS, STEPDBG
from stepdbg.commands.breakpoints import read_breakpoints
from stepdbg.commands.target import Target
from stepdbg.errors import UsageError
from stepdbg.hub.process.session_file import living_sessions

TRAIN = """\
import torch

def double(x):
    return 2 * x

weight = torch.nn.Parameter(torch.ones(2))
opt = torch.optim.SGD([weight], lr=0.1)
for i in range(5):
    loss = double(weight).sum()
    loss.backward()
    opt.step()
print("done")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text("x = 1\n\ny = 2\n")
    (tmp_path / "a" / "only.py").write_text("def f():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def remarks(folder: Path, text: str) -> tuple[str, ...]:
    return read_breakpoints([text], Target((sys.executable, str(folder / "train.py")), "train.py"))[1]


@pytest.mark.parametrize(
    "text",
    ["train.py:4", "./train.py:9 if i == 3", "a/net.py:3", "only.py:2", "a/only.py:2 once", "{folder}/train.py:4"],
)
def test_a_line_that_has_code_is_taken_as_it_is_written(folder: Path, text: str) -> None:
    assert remarks(folder, text.format(folder=folder)) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train.py:2", "line 2 of train.py has no code; the nearest that has is 3"),
        ("train.py:4000", "line 4000 of train.py has no code; the nearest that has is 12"),
        ("net.py:1", "net.py is not one file but 2: a/net.py, b/net.py; write more of the path"),
    ],
)
def test_a_line_that_can_never_be_met_is_refused(folder: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        remarks(folder, text)
    assert str(refused.value) == told


def test_a_file_that_is_not_found_is_remarked_on_with_the_nearest_name(folder: Path) -> None:
    (remark,) = remarks(folder, "trian.py:3")
    assert remark.startswith("no file trian.py is found from here; did you mean train.py?")


def test_a_run_without_a_screen_stops_at_the_line_and_says_so_and_notes_messages(folder: Path) -> None:
    points = ["-b", "train.py:4 once if i == 2", "-b", 'train.py:9 log "round {i}"', "-b", "elsewhere.py:3"]
    with runtime():
        running = subprocess.Popen(
            [*HEADLESS, *warm.option(), *points, "train.py"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        said = [running.stderr.readline() for _ in range(5)]
        (session_file,) = living_sessions()
        assert said[0].startswith("stepdbg: no file elsewhere.py is found from here")
        assert said[1:4] == [f"stepdbg: update {max(1, i)}, at train.py:9: round {i}\n" for i in range(3)]
        assert said[4].startswith("stepdbg: stopped at train.py:4 (update 2); look at it with")
        subprocess.run([*STEPDBG, "stop", session_file.name], check=True, capture_output=True, timeout=deadline(30))
        running.communicate(timeout=deadline(30))


def test_a_file_that_was_never_loaded_is_told_at_the_end(folder: Path) -> None:
    with runtime():
        done = subprocess.run(
            [*HEADLESS, *warm.option(), "-b", "a/net.py:3", "train.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=deadline(60),
        )
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == "stepdbg: breakpoint 1 was never met: the script did not load a/net.py\n"


def test_what_nothing_in_the_run_could_have_met_is_told_at_the_end(folder: Path) -> None:
    texts = (
        "step of op",
        "epoch 2",
        "step if i > 9",
        "backward of opt",
        "backward of lss",
        "backward of lo* if i > 99",
    )
    with runtime():
        done = subprocess.run(
            [*HEADLESS, *warm.option(), *(word for text in texts for word in ("-b", text)), "train.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=deadline(60),
        )
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.splitlines() == [
        "stepdbg: breakpoint 1 was never met: no optimizer is called op; did you mean opt?",
        "stepdbg: breakpoint 2 was never met: no epoch was counted, since training was not seen to read a DataLoader",
        "stepdbg: breakpoint 4 was never met: opt is an optimizer, and a backward is of a loss (there was loss)",
        "stepdbg: breakpoint 5 was never met: no loss is called lss; did you mean loss?",
    ]


def test_a_condition_that_raises_is_told_in_a_run_without_a_screen(folder: Path) -> None:
    with runtime():
        running = subprocess.Popen(
            [*HEADLESS, *warm.option(), "-b", "train.py:4 if nothing", "train.py"],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        told = {running.stderr.readline() for _ in range(2)}
        (session_file,) = living_sessions()
        problem = "stepdbg: breakpoint 1 (train.py:4 if nothing): NameError: name 'nothing' is not defined\n"
        assert problem in told
        assert any(line.startswith("stepdbg: stopped at train.py:4") for line in told)
        subprocess.run([*STEPDBG, "stop", session_file.name], check=True, capture_output=True, timeout=deadline(30))
        running.communicate(timeout=deadline(30))
