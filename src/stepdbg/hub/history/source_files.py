"""The text of a source file, as Python would decode it."""

from __future__ import annotations

import tokenize
from pathlib import Path

from stepdbg.protocol.messages import SourceText

LARGEST = 4 * 1024 * 1024
"""Bytes; nobody reads a longer source file in a panel."""


def read_source(file: str) -> SourceText:
    """The file's text, or why there is none."""
    path = Path(file)
    try:
        if not path.is_file():
            return SourceText(file, "", f"{file} is no file that can be read")
        if path.stat().st_size > LARGEST:
            return SourceText(file, "", f"{file} is over {LARGEST // 1024 // 1024} MB long")
        with tokenize.open(path) as source:
            return SourceText(file, source.read())
    except (OSError, SyntaxError, ValueError) as error:
        return SourceText(file, "", f"cannot read {file}: {error}")
