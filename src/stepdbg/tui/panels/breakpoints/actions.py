"""What sets, switches and removes a breakpoint or a watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepdbg.protocol.messages import (
    AddBreakpoint,
    Breakpoint,
    RemoveBreakpoint,
    RemoveWatch,
    Steer,
    SwitchBreakpoint,
    SwitchWatch,
)
from stepdbg.tui.host import Host
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.breakpoints.panel import BreaksPanel
from stepdbg.tui.top.phases import boxes
from stepdbg.tui.words.goal import goal, goal_of

if TYPE_CHECKING:
    from stepdbg.tui.dialogs.place import Surroundings


def on_what_is_under_the_cursor(panel: Panel) -> tuple[str, ...]:
    """The breakpoints that one may want on the module or the value under the cursor, as they are written."""
    if module := panel.module():
        return f"before forward of {module}", f"after forward of {module}"
    target = panel.editable()
    if target is None:
        return ()
    element = f"[{', '.join(map(str, target.element))}]" if target.element else ""
    found = [f"when {target.object}{element} changes"]
    if target.sliceable or target.missing:
        found.append(f"when {target.object} is not finite")
    if panel.panel == "model" and target.trained:
        found.append(f"gradient of {target.object}")
    return tuple(found)


class BreakpointActions:
    """Acts on the phase that is selected, or on the breakpoint or the watch under the cursor."""

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
        there = host.snapshot.session.breakpoints
        here = on_what_is_under_the_cursor(panel) if panel is not None and host.snapshot.paused and not line else ()
        first = panel is not None and panel.panel != "model"
        dialog = BreakpointDialog(
            phase, there, self._now()[0], host.glyphs, self._around(), _in_words(line), here, here_first=first
        )
        host.push_screen(dialog, lambda message: host.hub.send(message) if message is not None else None)

    def run_to(self) -> None:
        """Ask how far to run, and run there: to a breakpoint that is met once."""
        from stepdbg.tui.dialogs.run_to import RunToDialog

        host, rank = self._host, self._host.snapshot.rank
        dialog = RunToDialog(goal(host.snapshot), self._now, host.glyphs, self._around(), self._line_to_run_to())

        def go(point: Breakpoint | None) -> None:
            if point is not None:
                host.hub.send(AddBreakpoint(point))
                host.hub.send(Steer("continue", rank))

        host.push_screen(dialog, go)

    def _now(self) -> tuple[int, int | None]:
        """The update that training is in or that opens where it stands, and the epoch; None where none is counted."""
        snapshot = self._host.snapshot
        if snapshot.state == "running" and snapshot.progress is not None:
            return snapshot.progress.update, snapshot.progress.epoch
        boundary = snapshot.stop.boundary if snapshot.stop is not None else None
        return (boundary.opens or boundary.update, boundary.epoch) if boundary is not None else (0, None)

    def _around(self) -> Surroundings:
        """What a place to stop is held against."""
        from stepdbg.tui.dialogs.place import Surroundings

        host, snapshot = self._host, self._host.snapshot
        ranks = snapshot.session.ranks
        return Surroundings(
            host.hub.answer if snapshot.paused else None,
            tuple(box.name for box in boxes(snapshot)),
            tuple(one.rank for one in ranks),
            max((one.world for one in ranks), default=1),
        )

    def drop_goal(self) -> None:
        """Drop where training is on its way to; what runs runs on."""
        if (found := goal_of(self._host.snapshot)) is not None:
            self._host.hub.send(RemoveBreakpoint(found.number))

    def _line_to_run_to(self) -> str:
        """The line under the cursor, where it has code; empty where the cursor is on none."""
        panel = self._host.panel_layout.in_focus()
        return _in_words(panel.line()) if panel is not None and not panel.no_line() else ""

    def ask_watch(self) -> None:
        """Ask what to watch; the field begins with what is under the cursor."""
        from stepdbg.tui.dialogs.watch import WatchDialog

        host, panel = self._host, self._host.panel_layout.in_focus()
        expression = panel.watchable() if panel is not None else ""
        ask = host.hub.answer if host.snapshot.paused else None
        dialog = WatchDialog(expression, host.snapshot.session.watches, host.glyphs, ask)
        host.push_screen(dialog, lambda message: host.hub.send(message) if message is not None else None)

    def switch(self) -> None:
        """Switch the breakpoint or the watch under the cursor on or off."""
        panel = self._host.panel_layout.panel(BreaksPanel)
        if (point := panel.breakpoint()) is not None:
            self._host.hub.send(SwitchBreakpoint(point.number, not point.enabled))
        elif (watch := panel.watch_at_hand()) is not None:
            self._host.hub.send(SwitchWatch(watch.number, not watch.enabled))

    def remove(self) -> None:
        """Remove the breakpoint or the watch under the cursor."""
        panel = self._host.panel_layout.panel(BreaksPanel)
        if (point := panel.breakpoint()) is not None:
            self._host.hub.send(RemoveBreakpoint(point.number))
        elif (watch := panel.watch_at_hand()) is not None:
            self._host.hub.send(RemoveWatch(watch.number))


def _in_words(line: tuple[str, int] | None) -> str:
    """`train.py:48`; empty for none."""
    return f"{line[0]}:{line[1]}" if line is not None else ""
