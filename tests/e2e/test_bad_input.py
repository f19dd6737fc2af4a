"""What a user may get wrong: one clear line with the remedy, status 2, nothing left running, the terminal usable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness.place import DEMOS, ROOT, STEPDBG, Place
from harness.terminal import Terminal

SITE = Path(next(path for path in sys.path if path.endswith("site-packages")))


def refused(place: Place, terminal: Terminal) -> str:
    """The one line that the program ended with."""
    assert terminal.wait_exit() == 2, terminal.picture()
    assert terminal.emulator.leftovers() == []
    place.wait_empty()
    said = " ".join(terminal.transcript.decode().split())
    assert said.startswith("stepdbg: "), said
    assert "Traceback" not in said
    return said


def bare_python(folder: Path, *packages: Path) -> Path:
    """An interpreter with nothing installed but these packages."""
    import venv

    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for package in packages:
        (site / package.name).symlink_to(package)
    return folder / "bin" / "python"


def test_no_such_script(place: Place) -> None:
    assert "nowhere.py" in refused(place, place.stepdbg("nowhere.py"))


def test_a_syntax_error_is_shown_with_file_and_line(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "typo.py"
    script.write_text("x = 1\nfor x in (1, 2:\n    pass\n")
    assert "typo.py:2" in refused(place, place.stepdbg(script))


def test_an_interpreter_without_torch(place: Place, tmp_path: Path) -> None:
    packages = [ROOT / "src" / "stepdbg", SITE / "msgspec", SITE / "xxhash", SITE / "numpy"]
    python = bare_python(tmp_path / "env", *packages)
    said = refused(place, place.stepdbg("--python", python, DEMOS / "plain.py"))
    assert "torch" in said
    assert "install" in said


def test_an_interpreter_without_stepdbg(place: Place, tmp_path: Path) -> None:
    python = bare_python(tmp_path / "env")
    said = refused(place, place.stepdbg("--python", python, DEMOS / "plain.py"))
    assert "stepdbg" in said.removeprefix("stepdbg: ")
    assert "install" in said


def test_no_such_interpreter(place: Place) -> None:
    assert "no-python" in refused(place, place.stepdbg("--python", "/nowhere/no-python", DEMOS / "plain.py"))


def test_no_terminal_points_to_headless(place: Place) -> None:
    done = place.run(STEPDBG, DEMOS / "plain.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stepdbg: ")
    assert "--headless" in done.stderr
    assert done.stderr.count("\n") == 1
    place.wait_empty()


def test_a_terminal_that_cannot_be_drawn_on_points_to_headless(place: Place) -> None:
    terminal = place.terminal(["env", "TERM=dumb", STEPDBG, DEMOS / "plain.py"])
    assert "--headless" in refused(place, terminal)


def test_a_runtime_folder_that_cannot_be_made(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(place, place.stepdbg(DEMOS / "plain.py", STEPDBG_RUNTIME_DIR=str(tmp_path / "file" / "below")))
    assert "STEPDBG_RUNTIME_DIR" in said


def test_a_runtime_folder_whose_path_is_too_long_for_a_socket(place: Place, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    assert "too long" in refused(place, place.stepdbg(DEMOS / "plain.py", STEPDBG_RUNTIME_DIR=str(deep)))


def test_a_generator_that_the_file_does_not_have(place: Place) -> None:
    said = refused(place, place.stepdbg(f"{DEMOS / 'plain.py'}:train"))
    assert "train" in said


def test_a_breakpoint_that_cannot_be_read(place: Place) -> None:
    said = refused(place, place.stepdbg("--break", "somewhere over there", DEMOS / "plain.py"))
    assert "`backward if loss > 2`" in said


def test_no_such_session(place: Place) -> None:
    assert "stepdbg ls" in refused(place, place.stepdbg("attach", "nobody-1234"))


@pytest.mark.parametrize("name", ["../..", "a/b", ""])
def test_a_session_name_that_is_no_name_leads_nowhere(place: Place, name: str) -> None:
    before = sorted(os.listdir("/tmp"))
    assert "session" in refused(place, place.stepdbg("stop", name))
    assert place.runtime.name in before
    assert place.runtime.exists()
