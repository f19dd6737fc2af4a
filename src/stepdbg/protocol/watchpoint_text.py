"""What a watchpoint watches and waits for, as people write it and as it is told: a part of the grammar of breakpoints.

when NAME changes | when NAME leaves LOW to HIGH | when NAME is not finite | when NAME stays K updates
"""

from __future__ import annotations

import re

from stepdbg.errors import UsageError
from stepdbg.protocol.messages import Watched

WATCH = (
    r"\s*when\s+(?P<name>\S.*?)\s+(?:(?P<changes>changes)|leaves\s+(?P<low>\S+)\s+to\s+(?P<high>\S+)"
    r"|(?P<finite>is\s+not\s+finite)|stays\s+(?P<updates>\d+)(?:\s+updates?)?)(?=\s|\Z)"
)
"""The pattern that such a text begins with."""
_EXAMPLES = (
    "`when model.fc1.weight changes`, `when w[3, 7] leaves -1 to 1`, `when w is not finite`, `when w stays 5 updates`"
)


def watched(match: re.Match[str] | None, text: str) -> Watched:
    """What is watched, and what it is to do.

    Args:
        match: Where `text` fits `WATCH`; None where it does not.
        text: The breakpoint as it was written.

    Raises:
        UsageError: the text says no such thing.
    """
    if match is None:
        raise UsageError(f"cannot read what {text!r} watches; write for example {_EXAMPLES}")
    name = match["name"]
    if match["changes"]:
        return Watched(name)
    if match["finite"]:
        return Watched(name, "not finite")
    if match["updates"]:
        if not int(match["updates"]):
            raise UsageError(f"{text!r} waits for no update; write for example `when {name} stays 5 updates`")
        return Watched(name, "stays", updates=int(match["updates"]))
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        low, high = 1.0, 0.0
    if not low <= high:
        raise UsageError(f"{text!r} names no range; write for example `when {name} leaves -1 to 1`")
    return Watched(name, "leaves", low, high)


def watch_words(watch: Watched) -> str:
    """What is watched and waited for, as `watched` reads it."""
    match watch.how:
        case "leaves":
            return f"when {watch.name} leaves {_short(watch.low)} to {_short(watch.high)}"
        case "not finite":
            return f"when {watch.name} is not finite"
        case "stays":
            return f"when {watch.name} stays {watch.updates} update{'' if watch.updates == 1 else 's'}"
    return f"when {watch.name} changes"


def _short(number: float) -> str:
    """A number as people write it: `1`, not `1.0`."""
    return repr(number).removesuffix(".0")
