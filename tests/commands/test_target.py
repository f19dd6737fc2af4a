"""From the words of TARGET to a command, or to one line that says why not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stepdbg.commands.target import find_target
from stepdbg.errors import UsageError

GENERATOR = "def train():\n    yield 'forward'\n\ndef helper():\n    def inner():\n        yield 1\n    return inner\n"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_text(GENERATOR)
    return path


def test_each_kind_of_target_becomes_the_command_that_a_user_would_type(script: Path) -> None:
    assert find_target(["train.py", "--lr", "1"]).argv == (sys.executable, "train.py", "--lr", "1")
    assert find_target(["-m", "json.tool", "x"]).argv == (sys.executable, "-m", "json.tool", "x")
    assert find_target(["bash", "-c", "true"]).argv == ("bash", "-c", "true")
    target = find_target(["train.py:train", "7"])
    assert target.argv == (sys.executable, "-m", "stepdbg.tracer.drive", "train.py", "train", "7")
    assert target.script == "train.py"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.py"], "no script nowhere.py"),
        (["nowhere.py:train"], "no script nowhere.py"),
        (["no-such-command"], "no script or command"),
        (["-m"], "needs the name of a module"),
        (["train.py:absent"], "no generator function 'absent'; it has train"),
        (["train.py:helper"], "no generator function 'helper'"),
        (["train.py:"], "no generator function ''"),
    ],
)
def test_a_target_that_cannot_run_is_refused(script: Path, words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find_target(words)


def test_a_syntax_error_names_file_and_line(script: Path) -> None:
    script.write_text("x = 1\ndef f(:\n")
    with pytest.raises(UsageError, match=r"train\.py:2: "):
        find_target(["train.py"])


def test_an_interpreter_without_stepdbg_is_named(script: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')  # -S: no site-packages, so neither is there
    bare.chmod(0o755)
    with pytest.raises(UsageError, match=f"stepdbg cannot be imported in {bare}"):
        find_target(["train.py"], str(bare))


def test_a_python_that_is_none_is_refused(script: Path) -> None:
    with pytest.raises(UsageError, match="no such interpreter"):
        find_target(["train.py"], "/no/python")
    with pytest.raises(UsageError, match="does not run Python"):
        find_target(["train.py"], "/bin/true")


def test_a_generator_that_another_module_defines_is_left_to_the_run(script: Path) -> None:
    script.write_text("from loops import train\n")
    assert find_target(["train.py:train"]).script == "train.py"
