"""Breakpoints as people write them: `backward`, `after step`, `update 40`, `before backward at update 40`."""

from __future__ import annotations

import re
from typing import Literal

from stepdbg.errors import UsageError
from stepdbg.protocol.messages import Breakpoint

# Compiled at first use: the first paint waits for this module.
_PHASE = r"(?:(?P<when>before|after)\s+)?(?P<phase>\S+)(?:\s+at\s+update\s+(?P<update>\d+))?\Z"
_UPDATE = r"update\s+(?P<update>\d+)\Z"


def parse(text: str) -> Breakpoint:
    """The breakpoint that `text` describes, not yet numbered.

    Raises:
        UsageError: it describes none.
    """
    words = text.strip()
    update: int | None = None
    phase: str | None = None
    when: Literal["before", "after"] = "before"
    if match := re.match(_UPDATE, words):
        update = int(match["update"])
    elif (match := re.match(_PHASE, words)) and match["phase"] not in ("before", "after", "at"):
        phase = match["phase"]
        when = "after" if match["when"] == "after" else "before"
        update = int(match["update"]) if match["update"] else None
    else:
        raise UsageError(
            f"cannot read the breakpoint {text!r}; write for example `backward`, `after step`, `update 40` "
            "or `before backward at update 40`"
        )
    if update == 0:
        raise UsageError(f"the breakpoint {text!r} is never met: updates count from 1")
    return Breakpoint(0, phase, when, update)


def describe(breakpoint: Breakpoint) -> str:
    """The text that `parse` reads back to the same place."""
    if breakpoint.phase is None:
        return f"update {breakpoint.update}"
    place = f"{breakpoint.when} {breakpoint.phase}"
    return place if breakpoint.update is None else f"{place} at update {breakpoint.update}"
