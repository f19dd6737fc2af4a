"""Where training is to run to, once it was told: how that is called, and what is said where it stops on its way."""

from __future__ import annotations

from stepdbg.protocol.breakpoint_text import goal_words
from stepdbg.protocol.messages import Breakpoint
from stepdbg.tui.drawing.lines import plain
from stepdbg.tui.state.snapshot import Snapshot


def goal_of(snapshot: Snapshot) -> Breakpoint | None:
    """Where training is to run to; None where it was not told, or has come there."""
    return next((one for one in snapshot.session.breakpoints if one.goal and one.enabled), None)


def goal(snapshot: Snapshot) -> str:
    """`update 400`; empty where there is none."""
    found = goal_of(snapshot)
    return plain(goal_words(found)) if found is not None else ""


def on_the_way(snapshot: Snapshot) -> str:
    """What is said first at a stop on the way to a goal; empty where there is none, or nothing follows."""
    stop = snapshot.stop
    if stop is None or (stop.boundary.next is None and stop.inner is None) or stop.failure is not None:
        return ""
    where = goal(snapshot)
    if not where or snapshot.looking_back:
        return ""
    return f"on the way to {where} ({snapshot.key('continue')} goes on, {snapshot.key('drop_goal')} drops it). "
