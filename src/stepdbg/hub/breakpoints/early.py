"""The breakpoints on lines, left in the session's folder: a line may run before a process has entered the session."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from stepdbg.protocol.messages import Breakpoint
from stepdbg.protocol.runtime_folder import LINES_FILE


def leave_word(folder: Path, breakpoints: tuple[Breakpoint, ...]) -> None:
    """Have processes that are yet to come know of the breakpoints on lines; where that cannot be, they hear of them at
    their first boundary.
    """
    lines = [one for one in breakpoints if one.line is not None]
    file = folder / LINES_FILE
    with contextlib.suppress(OSError):
        if not lines:
            file.unlink(missing_ok=True)
            return
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(lines))
        os.replace(fresh, file)
