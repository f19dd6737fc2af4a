"""Small TOML files, read with a reason where that fails, and replaced in one go."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from stepdbg.errors import SettingsError


def read_toml(path: Path) -> dict[str, Any]:
    """What the file says; nothing where there is none.

    Raises:
        SettingsError: it is no TOML.
        OSError: it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    import tomllib  # only now: most starts find no file

    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsError(f"it is no UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(error)) from error


def write_toml(path: Path, document: dict[str, Any], comment: str) -> None:
    """Replace the file in one go: whoever reads finds the old one or the new one, and of two writers the last stays.

    Raises:
        OSError: it cannot be written.
    """
    import tomli_w

    text = "".join(f"# {line}\n" for line in comment.splitlines()) + "\n" + tomli_w.dumps(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
