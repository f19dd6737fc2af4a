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


def is_over(snapshot: Snapshot) -> bool:
    """Whether training has come to its end, so that it comes to no goal any more."""
    return snapshot.state == "exited" or (snapshot.stop is not None and snapshot.stop.reason == "exit")


def on_the_way(snapshot: Snapshot) -> str:
    """What is said first at a stop on the way to a goal, or at the end of a script that never came to it; empty where
    there is none, or an exception has come between.
    """
    stop = snapshot.stop
    where = goal(snapshot)
    if stop is None or not where or snapshot.looking_back or stop.failure is not None:
        return ""
    if is_over(snapshot):
        return f"never came to {where}. "
    if stop.boundary.next is None and stop.inner is None:
        return ""
    return f"on the way to {where} ({snapshot.key('continue')} goes on, {snapshot.key('drop_goal')} drops it). "
