"""“Where does it hang?”: what runs and since when, and below it the Python stack of each rank, on stderr."""

from __future__ import annotations

import threading
import time

from stepdbg.commands.headless import HubLine
from stepdbg.commands.printing import say
from stepdbg.protocol.messages import RankState, SessionState, ShowStack
from stepdbg.protocol.page import Page

_APART_SECONDS = 0.3
"""Between the stacks of two ranks, so that each comes below its own line."""


def show_stacks(hub: HubLine) -> None:
    """Show them, without ending anything or waiting: this is called by a signal."""
    threading.Thread(target=_show, args=(hub,), name="stacks", daemon=True).start()


def _show(hub: HubLine) -> None:
    session = hub.session
    running = [rank for rank in session.ranks if rank.state in ("running", "paused")]
    try:
        if not running:
            say(_doing(session))
            hub.send(ShowStack())
        for place, rank in enumerate(running):
            if place:
                time.sleep(_APART_SECONDS)
            say(_where(hub, rank))
            hub.send(ShowStack(rank.rank))
    except OSError:
        say("the hub of this session has gone: no stack can be shown")


def _doing(session: SessionState) -> str:
    seconds = max(0.0, time.time() - session.since)
    return f"{session.doing or session.state} for {seconds:.0f} s"


def _where(hub: HubLine, rank: RankState) -> str:
    """What that rank does, off its shared page: `in backward for 14 s (update 3, rank 0)`."""
    try:
        page = Page(hub.folder / f"page-{rank.pid}")
    except (OSError, ValueError):
        return f"in an unknown phase (rank {rank.rank})"
    status = page.status()
    page.close()
    seconds = max(0.0, (time.monotonic_ns() - status.since_ns) / 1e9)
    return f"in {status.phase} for {seconds:.0f} s (update {status.update}, rank {rank.rank})"
