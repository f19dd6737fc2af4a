"""What moves training, and what is looked at: the next phase, a pause, another rank, an earlier stop."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages import ShowStack, Steer
from stepdbg.tui.host import Host
from stepdbg.tui.state.snapshot import neighbour, next_rank, onwards

Order = Literal["next", "into", "operator", "finish", "continue"]
"""How far training is to go, as the messages and the actions call it."""


class Steering:
    """Has training go on, or moves among the stops of its past."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pauses = 0
        """Pauses asked for since training last stood."""
        self._pauses_since = (0, 0)

    def go(self, order: Order) -> None:
        """Have the rank that is looked at go on; in the past, look at the stop that it went to so."""
        host = self._host
        if host.snapshot.past_at is not None:
            self._through_the_past(order)
            return
        host.hub.send(Steer(order, host.snapshot.rank))
        host.hub.look_at_stop(None)
        host.hub.look_at_rank(host.snapshot.rank)

    def _through_the_past(self, order: Order) -> None:
        """What steers training moves among its stops while those are looked at, and says how to steer again."""
        host = self._host
        where = onwards(host.snapshot, order)
        host.hub.look_at_stop(where)
        key, back = host.snapshot.key(order), host.snapshot.key("back")
        if host.snapshot.past_at is None:
            host.show_status(f"this is now again: from here {key} steers training")
        else:
            host.show_status(f"{key} moves among the stops of the past; {back} goes to now, to steer training")

    def pause(self) -> None:
        """Pause; when a second one is asked for while nothing has stopped, show where it hangs."""
        host = self._host
        since = (host.snapshot.rank, host.snapshot.boundary)
        if self._pauses_since != since:
            self._pauses, self._pauses_since = 0, since
        self._pauses += 1
        host.hub.send(Steer("pause", host.snapshot.rank))
        if self._pauses > 1:
            host.hub.send(ShowStack(host.snapshot.rank))
            output = host.snapshot.key("panel_output")
            whose = f"of rank {host.snapshot.rank}" if len(host.snapshot.session.ranks) > 1 else "of every thread"
            where = f"in the Output panel ({output})" if host.snapshot.session.terminal else "where the script prints"
            host.notify(f"the stack {whose} is {where}")

    def show_next_rank(self) -> None:
        """Look at the next rank, and steer it from now on."""
        self._host.hub.look_at_rank(next_rank(self._host.snapshot))

    def look(self, step: int) -> None:
        """Look at the stop before (-1) the one that is looked at, or at the one after it (1)."""
        self._host.hub.look_at_stop(neighbour(self._host.snapshot, step))
