"""Whether this is the first time: the file `hints.toml` in the state folder knows."""

from __future__ import annotations

import contextlib
from pathlib import Path

import stepdbg
from stepdbg.home.folders import state_folder
from stepdbg.home.toml_files import write_toml

_PACKAGE = Path(stepdbg.__file__).resolve().parent
DEMOS = _PACKAGE / "demos" if (_PACKAGE / "demos").is_dir() else _PACKAGE.parents[1] / "demos"
"""The demos: in the package where a wheel brought them, else those of the checkout that stepdbg runs from."""


def wants_hints(script: str) -> bool:
    """Whether the hints are to be shown on that script (its path).

    They are shown on a demo, and on whatever is the first script that this user ever steps through; never again once
    they were gone through or dismissed.
    """
    try:
        known = _file().read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        known = b""
    # Two flags that we have written ourselves: to load a reader of TOML costs 4 ms, before the first paint.
    return b"finished = true" not in known and Path(script).parent == DEMOS


def note_use(*, finished: bool = False) -> None:
    """Remember that the hints were shown, or that they are not to come back. Where it cannot be written, they do."""
    document = {"used": True, "finished": finished}
    with contextlib.suppress(OSError):
        write_toml(_file(), document, "Whether stepdbg has shown its hints. Delete this file to see them again.")


def _file() -> Path:
    return state_folder() / "hints.toml"
