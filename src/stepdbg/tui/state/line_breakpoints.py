"""The breakpoints at a line of a source file, and how such a line is written."""

from __future__ import annotations

import os

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tui.state.snapshot import Snapshot


def written(snapshot: Snapshot, file: str) -> str:
    """The file's path as the user would type it: relative to where the script was started, if it lies below."""
    directory = snapshot.session.directory
    return file.removeprefix(directory.rstrip("/") + "/") if directory else file


def breakpoints_at(snapshot: Snapshot, file: str, line: int) -> list[Breakpoint]:
    """The breakpoints at that line."""
    directory = snapshot.session.directory
    return [one for one in snapshot.session.breakpoints if one.line == line and _names(one.file, file, directory)]


def _names(written: str, file: str, directory: str) -> bool:
    """Whether a file is the one that is written so: one that lies there goes before one whose path ends so."""
    direct = os.path.normpath(os.path.join(directory, written))
    ends_so = not os.path.isabs(written) and file.endswith(os.sep + os.path.normpath(written))
    return file == direct or (ends_so and not os.path.isfile(direct))


def line_without_code(text: str, line: int) -> str:
    """Why training cannot be stopped at a line, and where it can; empty where it can, or where nobody can tell.

    Args:
        text: The file's.
        line: The number of the line, from 1.
    """
    import warnings  # at a key, not before the first paint

    from stepdbg.listing.source_lines import lines_with_code, no_code

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = lines_with_code(text.encode())
    except (SyntaxError, ValueError, RecursionError):  # the user's Python may be another
        return ""
    return no_code(line, lines)
