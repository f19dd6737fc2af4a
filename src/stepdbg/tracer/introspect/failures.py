"""An exception of the script's as it is sent: its own words may fail as well."""

from __future__ import annotations

import traceback
from types import TracebackType

from stepdbg.protocol import messages as m


def failure(error: BaseException, whole: TracebackType | None) -> m.Failure:
    """An exception as it is sent, with that traceback."""
    written = "".join(traceback.format_exception(type(error), error, whole))
    return m.Failure(type(error).__name__, in_words(error), written)


def in_words(error: BaseException) -> str:
    """What an exception says, as Python writes it where that cannot be told."""
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"
