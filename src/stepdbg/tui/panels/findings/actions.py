"""What the keys of panel K do."""

from __future__ import annotations

from msgspec.structs import replace

from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, SwitchBreakpoint
from stepdbg.tui.host import Host
from stepdbg.tui.panels.findings.panel import FindingsPanel
from stepdbg.tui.panels.findings.view import stopping


class FindingActions:
    """Opens a finding, and has training stop for new ones."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def open(self) -> None:
        """Tell all of the finding under the cursor, and show its line in the Source panel where there is room beside;
        where all of it was told, no more than its line.
        """
        host, layout = self._host, self._host.panel_layout
        panel = layout.panel(FindingsPanel)
        one = panel.finding()
        if one is None:
            return
        if one.line:
            host.snapshot = replace(
                host.snapshot, line_in_view=(one.file, one.line), line_in_view_at=host.snapshot.boundary
            )
            if layout.has_columns and not layout.zoomed and not layout.is_shown("source"):
                layout.go_to("source", noted=False)
                layout.go_to("findings", noted=False)
        panel.switch()
        host.hub.ask()
        host.paint()

    def switch_stopping(self) -> None:
        """Have training stop where a rule finds something new, or no more."""
        point = stopping(self._host.snapshot)
        if point is None:
            self._host.hub.send(AddBreakpoint(Breakpoint(0, finding=True)))
        else:
            self._host.hub.send(SwitchBreakpoint(point.number, not point.enabled))
