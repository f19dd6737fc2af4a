"""What a fake debuggee gives for a watch: the loss and the update are known to it, and no other name."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Boundary, Watch, WatchValue


def value(number: int, expression: str, boundary: Boundary) -> WatchValue:
    """What that expression gives at a boundary."""
    known = {"loss": boundary.loss, "update": float(boundary.update)}
    if expression not in known:
        return WatchValue(number, problem=f"NameError: name {expression!r} is not defined")
    if known[expression] is None:
        return WatchValue(number, problem="there is no loss yet")
    return WatchValue(number, known[expression])


def values(watches: Iterable[Watch], boundary: Boundary) -> tuple[WatchValue, ...]:
    """What each watch gives that is switched on."""
    return tuple(value(watch.number, watch.expression, boundary) for watch in watches if watch.enabled)
