"""From the words of TARGET to a command, or to one line that says why not."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from stepdbg.commands.target import Target, find_target
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
        (["notes.ipynb"], "is a notebook; .*nbconvert --to script notes.ipynb"),
        (["weights.pt"], "no program and no Python script"),
        (["archive.pt"], "no program and no Python script"),
        (["readme"], "not valid Python"),
        (["folder"], "without a __main__.py"),
        (["-m", "no_such_module.train"], "no module no_such_module.train"),
    ],
)
def test_a_target_that_cannot_run_is_refused(script: Path, words: list[str], says: str) -> None:
    Path("notes.ipynb").write_text("{}")
    Path("weights.pt").write_bytes(bytes(range(256)))
    with zipfile.ZipFile("archive.pt", "w") as archive:
        archive.writestr("data.pkl", "weights")
    Path("readme").write_text("Train with care.\n")
    Path("readme").chmod(0o755)
    Path("folder").mkdir()
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


def test_what_python_runs_besides_scripts_is_run(script: Path) -> None:
    Path("app").mkdir()
    Path("app/__main__.py").write_text("")
    with zipfile.ZipFile("app.pyz", "w") as archive:
        archive.writestr("__main__.py", "")
    Path("train").write_text("x = 1\n")
    Path("train").chmod(0o755)
    Path("package").mkdir()
    for name in ("app", "app.pyz", "train"):
        assert find_target([name, "7"]).argv == (sys.executable, name, "7")
    assert find_target(["-m", "package.train"]).argv[1:] == ("-m", "package.train")


def test_a_program_is_run_as_it_is(script: Path) -> None:
    Path("run").write_text("#!/bin/sh\nexec python train.py\n")
    Path("run").chmod(0o755)
    assert find_target(["./run"]).argv == ("./run",)


@pytest.mark.parametrize(
    ("version", "says"), [("2.3.1+cu121", "torch 2.3 in .* too old: .* 2.4 or newer"), ("1.13", "1.13")]
)
def test_a_torch_that_is_too_old_is_named(script: Path, tmp_path: Path, version: str, says: str) -> None:
    (tmp_path / "old" / "torch").mkdir(parents=True)
    (tmp_path / "old" / "torch" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "old" / "torch" / "version.py").write_text(f"from typing import Any\n__version__ = '{version}'\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "old"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(UsageError, match=says):
        find_target(["train.py"], str(python))


def test_another_interpreter_that_has_all_is_taken(script: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    assert find_target(["train.py"], str(python)).argv == (str(python), "train.py")
    assert find_target(["-m", "json.tool"], str(python)).argv == (str(python), "-m", "json.tool")
    with pytest.raises(UsageError, match="no module nope"):
        find_target(["-m", "nope"], str(python))


def test_what_is_kept_of_a_script_is_kept_by_its_path_whatever_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(*argv: str) -> str:
        return Target(argv, "train.py").identity

    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("")
    (tmp_path / "link.py").symlink_to("train.py")
    path = str((tmp_path / "train.py").resolve())
    assert identity("python", "train.py", "--lr", "1") == path
    assert identity("python", "-m", "stepdbg.tracer.drive", "train.py", "loop") == path
    assert identity("torchrun", "--nproc-per-node", "2", path) == path
    assert identity("python", "link.py") == path
    module = identity("python", "-m", "pkg.train", "train.py")
    assert module == f"{Path.cwd()} -m pkg.train"
    assert identity("make", "train") not in (module, identity("make", "test"))
