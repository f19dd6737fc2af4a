"""Who loads what: looked up in a fresh interpreter, since import-linter sees only what is written down."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from harness.deadline import deadline

import stepdbg

PACKAGE = Path(stepdbg.__file__).parent
HEAVY = {"torch", "numpy"}


def modules_of(folder: str) -> list[str]:
    files = sorted((PACKAGE / folder).rglob("*.py")) if (PACKAGE / folder).is_dir() else [PACKAGE / f"{folder}.py"]
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def loaded_by(modules: Iterable[str]) -> set[str]:
    program = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *modules], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("folder", ["cli", "commands", "home", "hub", "protocol", "testing", "tui"])
def test_no_torch_and_no_numpy_outside_the_tracer(folder: str) -> None:
    assert not HEAVY & loaded_by(modules_of(folder))


@pytest.mark.parametrize("folder", ["home", "hub", "protocol", "testing"])
def test_what_has_no_screen_loads_no_textual(folder: str) -> None:
    assert not {"textual", "rich"} & loaded_by(modules_of(folder))


def test_importing_the_public_api_loads_none_of_the_program() -> None:
    loaded = {name for name in loaded_by(["stepdbg"]) if name.startswith("stepdbg")}
    assert loaded <= {"stepdbg", "stepdbg.api", "stepdbg.errors"}


def test_the_command_line_loads_no_screen_before_it_needs_one() -> None:
    assert "textual" not in loaded_by(["stepdbg.cli"])


def test_the_public_names_are_complete_and_documented() -> None:
    assert sorted(stepdbg.__all__) == list(stepdbg.__all__)
    for name in stepdbg.__all__:
        assert name == "__version__" or getattr(stepdbg, name).__doc__, name
    modules = {"api", "errors", "annotations"}
    public = {name for name in vars(stepdbg) if not name.startswith("_")} - modules
    folders = {path.stem for path in PACKAGE.iterdir()}
    assert public - folders <= set(stepdbg.__all__)


FIRST_FRAME = """
import os, sys
from pathlib import Path
import stepdbg.cli, stepdbg.commands.run
with stepdbg.cli._without_tls():
    from stepdbg.tui.run_app import StepdbgApp
import stepdbg.tui.terminal.driver
app = StepdbgApp(Path(sys.argv[1]))
def painted():
    print(*sys.modules, flush=True, file=sys.__stdout__)
    os._exit(0)
app.at_first_frame = painted
app.run(headless=True, size=(80, 24))
"""
AFTER_THE_FIRST_FRAME = (
    "_ssl", "json", "shlex", "tomllib", "tomli_w", "concurrent.futures.thread", "rich._unicode_data.unicode",
    "textual.system_commands", "stepdbg.commands.headless", "stepdbg.commands.breakpoints",
    "stepdbg.hub.process.server", "stepdbg.listing.tree", "stepdbg.listing.search", "stepdbg.listing.filters",
    "stepdbg.tui.files.clipboard", "stepdbg.tui.actions.handlers", "stepdbg.tui.files.copy_and_save",
    "stepdbg.tui.files.formats", "stepdbg.tui.files.tables", "stepdbg.tui.dialogs",
    "stepdbg.tui.actions.palette_commands", "stepdbg.tui.panels.effects.matrix", "stepdbg.tui.panels.graph.view",
    "stepdbg.tui.panels.effects.owners", "stepdbg.tui.panels.model.view", "stepdbg.tui.panels.tensor.view",
    "stepdbg.tui.panels.model.panel", "stepdbg.tui.panels.console.panel",
)  # fmt: skip
"""What takes time to load and is not on the first frame: panels, dialogs, what actions do, and what only they need."""


def test_what_the_first_frame_does_not_show_is_loaded_after_it() -> None:
    with tempfile.TemporaryDirectory(prefix="sd-", dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as hub:
        hub.bind(f"{folder}/hub.sock")
        hub.listen()  # and never answers
        done = subprocess.run(
            [sys.executable, "-c", FIRST_FRAME, folder],
            capture_output=True,
            text=True,
            check=True,
            timeout=deadline(60),
        )
    loaded = done.stdout.split()
    assert "stepdbg.tui.top.rail" in loaded
    assert [name for name in loaded if name.startswith(AFTER_THE_FIRST_FRAME)] == []
