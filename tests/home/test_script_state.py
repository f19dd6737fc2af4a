"""What is kept of a script: readable, whole whatever happens to it, and no reason to fail."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from stepdbg.home.folders import STATE_VARIABLE, script_file
from stepdbg.home.script_state import MOST_HISTORY, ScriptState, read_state, write_state
from stepdbg.protocol.messages import Breakpoint

STATE = ScriptState(
    (Breakpoint(0, "backward"), Breakpoint(0, "step", "after", 40, enabled=False), Breakpoint(0, update=7)),
    ("tensor", "model"),
    True,
    "textual-light",
    ("loss", "model.fc1.weight.mean()", 'print("ü")'),
)


def test_what_is_written_is_read_again_and_reads_well(tmp_path: Path) -> None:
    file = tmp_path / "scripts" / "mnist.toml"
    write_state(file, STATE, "mnist.py")
    assert read_state(file) == (STATE, "")
    text = file.read_text()
    assert 'at = "before backward"' in text
    assert 'at = "after step at update 40", enabled = false' in text
    assert text.startswith("# What stepdbg keeps")


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none.toml") == (ScriptState(), "")


def test_a_file_of_a_newer_stepdbg_is_set_aside_and_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "mnist.toml"
    text = 'format = 7\n[[breakpoints]]\nat = "whenever it is interesting"\n'
    file.write_text(text)
    state, remark = read_state(file)
    assert state == ScriptState()
    assert "was written by a newer stepdbg (format 7; this one reads 1)" in remark
    assert remark.endswith(f"{file}.newer")
    assert (tmp_path / "mnist.toml.newer").read_text() == text
    write_state(file, ScriptState(zoomed=True), "mnist.py")
    assert read_state(file) == (ScriptState(zoomed=True), "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("breakpoints = [3\nlayout = 1", "line 2"),
        ("[layout]\nzoomed = 3\n", "layout.zoomed"),
        ('[[breakpoints]]\nat = "before"\n', "cannot read the breakpoint"),
        ("[[breakpoints]]\nat = 3\n", "breakpoints[0].at"),
        ('script = "\udcff"', "UTF-8"),
    ],
)
def test_a_broken_file_is_set_aside_and_told(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "mnist.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    state, remark = read_state(file)
    assert state == ScriptState()
    assert why in remark
    assert str(file) in remark
    assert "\n" not in remark
    assert not file.exists()
    assert (tmp_path / "mnist.toml.broken").read_bytes() == text.encode("utf-8", "surrogateescape")
    assert read_state(file) == (ScriptState(), "")


def test_of_two_writers_one_wins_and_nothing_is_torn(tmp_path: Path) -> None:
    file = tmp_path / "mnist.toml"
    states = [ScriptState(history=(name * 2_000,) * 20) for name in "ab"]

    def write(state: ScriptState) -> None:
        for _ in range(30):
            write_state(file, state, "mnist.py")

    write(states[0])
    writers = [threading.Thread(target=write, args=(state,)) for state in states]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read_state(file)[0] in states
    assert os.listdir(tmp_path) == ["mnist.toml"]


def test_a_folder_that_cannot_be_written_says_so_and_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "scripts").write_text("a file where a folder should be")
    with pytest.raises(OSError):
        write_state(tmp_path / "scripts" / "mnist.toml", STATE, "mnist.py")
    assert os.listdir(tmp_path) == ["scripts"]


def test_only_the_newest_lines_of_the_console_are_kept(tmp_path: Path) -> None:
    lines = tuple(map(str, range(MOST_HISTORY + 10)))
    write_state(tmp_path / "a.toml", ScriptState(history=lines), "a.py")
    assert read_state(tmp_path / "a.toml")[0].history == lines[10:]


def test_each_script_has_a_file_of_its_own_that_bears_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    one, other = script_file("/a/train.py", "train.py"), script_file("/b/train.py", "train.py")
    assert one != other
    assert one.parent == other.parent == tmp_path / "scripts"
    assert one.name.startswith("train-")
    assert script_file("/a/train.py", "train.py") == one
    assert script_file("/a/../../x", "../../../etc/passwd").parent == tmp_path / "scripts"
