"""Whether the script waits for a line of input: then nothing goes on, and nothing on the screen would say why."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from stepdbg.tui.drawing.lines import text
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.state.snapshot import Snapshot

_READ = {"x86_64": "0", "aarch64": "63", "arm64": "63"}.get(os.uname().machine)
"""The number of the system call `read`, as Linux has it."""
QUIET = 3
"""The number of looks in a row with nothing printed after which a prompt counts as waiting."""
_PROMPTS = ("?", ":", ">", "]", ")")


def reads_input(pid: int) -> bool | None:
    """Whether that process waits in a `read` of its standard input; None where the system does not tell."""
    try:
        call = Path(f"/proc/{pid}/syscall").read_text().split()
    except OSError:
        return None
    if _READ is None or not call or call[0] == "running":
        return False
    return call[0] == _READ and len(call) > 1 and int(call[1], 16) == 0


def prompt(output: Transcript) -> str:
    """What the script has printed on the line that its cursor is on, if that reads as a question."""
    words = text(output.lines[-1]).strip() if output.lines and output.column else ""
    return words if words.endswith(_PROMPTS) else ""


class Asking:
    """Looks now and then: by what the system says of the process, else by what it has printed."""

    def __init__(self) -> None:
        self._printed, self._quiet = 0, 0
        """Bytes of the output at the last look, and at how many looks since they were as many."""

    def look(self, snapshot: Snapshot) -> bool:
        """Whether what runs waits for a line of input."""
        if not snapshot.session.terminal or snapshot.lost or snapshot.state not in ("running", "starting"):
            return False
        end = snapshot.output.end
        self._printed, self._quiet = end, self._quiet + 1 if self._printed == end else 0
        told = reads_input(snapshot.rank_state.pid) if snapshot.rank_state is not None else None
        return told if told is not None else self._quiet >= QUIET and bool(prompt(snapshot.output))

    def looked(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what the look has told; the same one where that is nothing new."""
        asks = self.look(snapshot)
        return snapshot if asks == snapshot.asking else replace(snapshot, asking=asks)
