"""A line of the command line's breakpoints, held against the files that there are: whether it can ever be reached."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from stepdbg.commands.target import Target
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import did_you_mean
from stepdbg.listing.source_lines import lines_with_code, no_code

_MOST_ENTRIES = 5_000
"""Files and folders that are looked through for one that is not where it was said to be."""


def check_line(file: str, line: int, target: Target) -> str:
    """Look for a file, and for code at its line.

    Returns:
        A remark, where no such file is found: it may be loaded from elsewhere.

    Raises:
        UsageError: several files are called so, or the line has no code.
    """
    folders = list(dict.fromkeys((os.getcwd(), *(os.path.dirname(os.path.abspath(one)) for one in _scripts(target)))))
    paths = [path for folder in folders if os.path.isfile(path := os.path.join(folder, file))][:1]
    seen: list[str] = []
    if not paths:
        seen = [path for folder in folders for path in _below(folder)]
        paths = sorted({path for path in seen if path.endswith(os.sep + os.path.normpath(file))})
    if len(paths) > 1:
        here = ", ".join(os.path.relpath(path) for path in paths[:4])
        raise UsageError(f"{file} is not one file but {len(paths)}: {here}; write more of the path")
    if not paths:
        like = did_you_mean(os.path.basename(file), map(os.path.basename, seen))
        return f"no file {file} is found from here{like or ''}; the breakpoint is met if a file of that name is loaded"
    if problem := _without_code(paths[0], file, line):
        raise UsageError(problem)
    return ""


def _scripts(target: Target) -> list[str]:
    return [file for file in target.files if file.endswith(".py")]


def _without_code(path: str, file: str, line: int) -> str:
    """Why training cannot be stopped at that line; empty where it can, or where this Python cannot tell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = lines_with_code(Path(path).read_bytes(), path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ""
    return no_code(line, lines, file)


def _below(folder: str) -> Iterator[str]:
    """The Python files in a folder and below it, no more than a few thousand entries of it."""
    entries = 0
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "site-packages")
        entries += len(folders) + len(files)
        if entries > _MOST_ENTRIES:
            return
        yield from (os.path.join(where, name) for name in files if name.endswith(".py"))
