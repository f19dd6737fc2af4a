"""Newer Pythons read the sources as well; those that are found on this machine are asked."""

from __future__ import annotations

import subprocess

import pytest
from harness.interpreters import interpreter
from harness.place import ROOT

VERSIONS = ("3.12", "3.13", "3.14")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_source_compiles_without_a_warning(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    program = (
        "import sys\nfrom pathlib import Path\nfor name in sys.argv[1:]: compile(Path(name).read_bytes(), name, 'exec')"
    )
    files = [str(path) for path in (ROOT / "src").rglob("*.py")]
    done = subprocess.run([python, "-W", "error", "-c", program, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_what_runs_in_the_users_own_python_needs_the_standard_library_only(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    inject = ROOT / "src" / "stepdbg" / "tracer" / "inject"
    program = f"import sys; sys.path.insert(0, {str(inject)!r}); import sitecustomize; print('ok')"
    done = subprocess.run([python, "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("ok\n", "")
