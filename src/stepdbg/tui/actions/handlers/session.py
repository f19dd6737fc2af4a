"""What concerns the whole session: a line for the script, another run, the ways to leave."""

from __future__ import annotations

from stepdbg.protocol.messages import Leave, Restart, SendInput
from stepdbg.tui.host import Host
from stepdbg.tui.top.session_sentence import exit_words


class SessionActions:
    """Types to the script, runs it again, leaves."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def type_to_script(self) -> None:
        """Ask for a line, and send it to the script's standard input."""
        from stepdbg.tui.dialogs.script_input import InputDialog

        host = self._host
        dialog = InputDialog(host.snapshot.session.script, host.glyphs)
        host.push_screen(dialog, lambda line: host.hub.send(SendInput(line.encode())) if line is not None else None)

    def restart(self) -> None:
        """Run the script again; asks while there is something to lose."""
        from stepdbg.tui.dialogs.restart import RestartDialog

        host = self._host
        if not host.snapshot.trains:
            host.hub.send(Restart())
            return
        dialog = RestartDialog(host.snapshot, host.glyphs)
        host.push_screen(dialog, lambda again: host.hub.send(Restart()) if again else None)

    async def quit(self) -> None:
        """Leave; asks how, while there is something that could go on."""
        from stepdbg.tui.dialogs.leave import LeaveDialog

        host = self._host
        if host.snapshot.over or not host.hub.connected:
            await self._leave("stay")
            return
        alive = [rank for rank in host.snapshot.session.ranks if rank.state in ("running", "paused")]
        running = any(rank.state == "running" for rank in alive)
        dialog = LeaveDialog(host.snapshot.session.name, running, len(alive), host.glyphs)

        def leave(how: str | None) -> None:
            if how is not None:
                host.call_later(self._leave, how)

        host.push_screen(dialog, leave)

    async def _leave(self, how: str) -> None:
        """Tell the hub how, hang up, close the screen."""
        host = self._host
        over = host.snapshot.over
        host.left = over or how == "stop"
        name = host.snapshot.session.name
        host.hub.send(Leave(how))  # type: ignore[arg-type]
        if not over:
            ways = f"`stepdbg attach {name}` comes back, `stepdbg stop {name}` ends it"
            host.farewell = {
                "go on": f"detached, training goes on; {ways}",
                "stay": f"detached, training stays as it is; {ways}",
                "stop": "training is stopped",
            }[how]
        elif (status := host.snapshot.session.exit_status) is not None and status != 0:
            host.farewell = f"{host.snapshot.session.script} ended {exit_words(status)}"
        await host.hub.close()
        host.exit(0)
