"""What sets, switches and removes a breakpoint."""

from __future__ import annotations

from stepdbg.protocol.breakpoint_text import destination
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, RemoveBreakpoint, Steer, SwitchBreakpoint
from stepdbg.tui.host import Host
from stepdbg.tui.panels.breakpoints.panel import BreaksPanel


class BreakpointActions:
    """Acts on the phase that is selected, or on the breakpoint under the cursor."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def ask(self) -> None:
        """Ask how to stop at the phase that is selected, or at the line under the cursor and its phase."""
        from stepdbg.tui.dialogs.breakpoint import BreakpointDialog

        host, panel = self._host, self._host.panel_layout.in_focus()
        if panel is not None and (why := panel.no_line()):
            host.show_status(f"{host.snapshot.key('break')}: {why}")
            return
        line = panel.line() if panel is not None else None
        phase = panel.phase() if panel is not None else None
        phase = phase if phase or line else host.panel_layout.top.phase()
        stop = host.snapshot.stop
        update = stop.boundary.update if stop else 0
        ask = host.hub.answer if host.snapshot.paused else None
        there = host.snapshot.session.breakpoints
        dialog = BreakpointDialog(phase, there, update, host.glyphs, ask, _in_words(line))
        host.push_screen(dialog, lambda message: host.hub.send(message) if message is not None else None)

    def run_to(self) -> None:
        """Ask how far to run, and run there: to a breakpoint that is met once."""
        from stepdbg.tui.dialogs.line import LineDialog

        host = self._host
        stop, rank = host.snapshot.stop, host.snapshot.rank
        update = (stop.boundary.opens or stop.boundary.update) if stop is not None else 0
        dialog = LineDialog(
            "Run to",
            f"{update + 100}, epoch 3, step of opt, train.py:48, loss < 0.1",
            "an update, an epoch, a phase, a line or a condition; enter runs there, escape cancels",
            lambda text: destination(text, update),
            host.glyphs,
            self._line_to_run_to(),
        )

        def go(text: str | None) -> None:
            if text is not None:
                host.hub.send(AddBreakpoint(destination(text, update)))
                host.hub.send(Steer("continue", rank))

        host.push_screen(dialog, go)

    def _line_to_run_to(self) -> str:
        """The line under the cursor, where it has code; empty where the cursor is on none."""
        panel = self._host.panel_layout.in_focus()
        return _in_words(panel.line()) if panel is not None and not panel.no_line() else ""

    def switch(self) -> None:
        """Switch the breakpoint under the cursor on or off."""
        if (one := self._under_cursor()) is not None:
            self._host.hub.send(SwitchBreakpoint(one.number, not one.enabled))

    def remove(self) -> None:
        """Remove the breakpoint under the cursor."""
        if (one := self._under_cursor()) is not None:
            self._host.hub.send(RemoveBreakpoint(one.number))

    def _under_cursor(self) -> Breakpoint | None:
        return self._host.panel_layout.panel(BreaksPanel).breakpoint()


def _in_words(line: tuple[str, int] | None) -> str:
    """`train.py:48`; empty for none."""
    return f"{line[0]}:{line[1]}" if line is not None else ""
