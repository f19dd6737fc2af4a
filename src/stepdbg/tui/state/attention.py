"""What the program brings to the front by itself, where there is no room for all: the line that failed, the reason why
a script ended before it trained. Only then; at any other time panels are where the user has put them.
"""

from __future__ import annotations

from stepdbg.tui.state.snapshot import Snapshot


def panel_to_show(before: Snapshot, after: Snapshot) -> str:
    """The panel to be seen from now on; empty where nothing has happened that calls for one."""
    stop = after.stop
    if stop is None:
        failed = after.state == "exited" and bool(after.session.exit_status)
        return "output" if failed and before.state != "exited" and after.session.terminal else ""
    fresh = before.stop is None or before.boundary != after.boundary or before.rank != after.rank
    return "source" if stop.failure is not None and fresh and after.past_at is None else ""
