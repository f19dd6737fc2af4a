"""An exception of the script's as it is sent: its own words may fail as well."""

from __future__ import annotations

import traceback

from stepdbg.protocol import messages as m


def failure(error: BaseException) -> m.Failure:
    """An exception as it is sent."""
    return m.Failure(type(error).__name__, in_words(error), "".join(traceback.format_exception(error)))


def in_words(error: BaseException) -> str:
    """What an exception says, as Python writes it where that cannot be told."""
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"
