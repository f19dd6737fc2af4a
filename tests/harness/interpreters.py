"""The Pythons of this machine, besides the one that the tests run in: they have no torch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def interpreter(version: str) -> str | None:
    """The path of a Python of that version, `3.12`; None where there is none that runs."""
    candidates = [
        shutil.which(f"python{version}"),
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
    ]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    return None
