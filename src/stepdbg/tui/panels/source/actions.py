"""What walks through the frames of a stop."""

from __future__ import annotations

from stepdbg.tui.host import Host
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.snapshot import Snapshot


class FrameActions:
    """Chooses the frame that is looked at, for all panels."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def walk(self, step: int) -> None:
        """Look at the frame that called this one (1), or at the one that this has called (-1)."""
        self._look(frames.walked(self._host.snapshot, step))

    def look_at(self, place: int) -> None:
        """Look at the frame at that place in `Stop.frames`."""
        self._look(frames.looking_at_frame(self._host.snapshot, place))

    def unfold(self) -> None:
        """Show the frames of libraries among the user's own, or fold them away."""
        self._look(frames.unfolded(self._host.snapshot))

    def _look(self, snapshot: Snapshot) -> None:
        self._host.snapshot = snapshot
        self._host.hub.ask()
        self._host.paint()
