"""How large the terminal is: what it says itself, within what a screen can be."""

from __future__ import annotations

import os
import sys

MOST_COLUMNS, MOST_ROWS = 1_000, 500
"""A larger terminal is drawn on up to here: a number beyond it is a slip, and would be laid out cell by cell."""
_FALLBACK = (80, 24)


def terminal_size() -> tuple[int, int]:
    """Columns and rows. `COLUMNS` and `LINES` count only where no terminal says its size (0x0 over a serial line)."""
    columns = rows = 0
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            columns, rows = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]  # a closed one is None
            break
        except (AttributeError, ValueError, OSError):
            continue
    columns = columns or _number("COLUMNS") or _FALLBACK[0]
    rows = rows or _number("LINES") or _FALLBACK[1]
    return min(columns, MOST_COLUMNS), min(rows, MOST_ROWS)


def _number(variable: str) -> int:
    words = os.environ.get(variable, "")
    return int(words) if words.isascii() and words.isdecimal() and len(words) < 9 else 0
