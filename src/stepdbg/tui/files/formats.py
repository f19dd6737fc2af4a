"""What can be saved here, and under which name; writing what needs no training process."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from stepdbg.new_file import new_file
from stepdbg.protocol.messages import SaveFormat
from stepdbg.tui.files import tables
from stepdbg.tui.panel_base.registry import NAMES
from stepdbg.tui.state.snapshot import Snapshot

What = Literal["tensor", "state", "panel", "screen"]
_FORMATS: tuple[tuple[SaveFormat, str], ...] = (
    ("safetensors", "safetensors, all bits"),
    ("npy", "npy, for numpy"),
    ("csv", "CSV"),
    ("txt", "text, each row with its index"),
)


class Choice(NamedTuple):
    """One thing that can be saved in one format."""

    what: What
    suffix: str
    """The file's suffix, without the dot."""
    words: str
    """For the dialog."""
    name: str
    """What the file is named after: an object, a panel."""

    @property
    def id(self) -> str:
        """Tells it from the others."""
        return f"{self.what}-{self.suffix}"


def choices(snapshot: Snapshot, panel: str, name: str) -> list[Choice]:
    """What can be saved.

    Args:
        snapshot: What is known.
        panel: The panel in focus.
        name: The selected tensor; empty where there is none.
    """
    found = []
    if snapshot.paused and name:
        found += [Choice("tensor", suffix, f"{name} as {words}", name) for suffix, words in _FORMATS]
    if snapshot.paused:
        words = "the whole state: parameters, buffers, grads, optimizer"
        found.append(Choice("state", "safetensors", words, "state"))
    if panel in tables.TABLES:
        found.append(Choice("panel", "csv", f"the table of the panel {NAMES[panel]} as CSV", panel))
        found.append(Choice("panel", "txt", f"the table of the panel {NAMES[panel]} as text", panel))
    else:
        found.append(Choice("panel", "txt", f"the panel {NAMES.get(panel, panel)} as text, as it is shown", panel))
    found.append(Choice("screen", "svg", "the screen as a picture (SVG)", "screen"))
    return found


def directory(snapshot: Snapshot) -> Path:
    """Where files go: where the target was started."""
    return Path(snapshot.session.directory or os.getcwd())


def file_name(choice: Choice, snapshot: Snapshot) -> str:
    """`mnist-update3-after-backward-model.fc1.weight.npy`."""
    stop = snapshot.stop
    pieces = [Path(snapshot.session.script).stem or "session"]
    if len(snapshot.session.ranks) > 1:
        pieces.append(f"rank{snapshot.rank}")
    if stop is not None:
        pieces.append(f"update{stop.boundary.update}")
        if stop.boundary.done:
            pieces.append(f"after-{stop.boundary.done}")
    pieces.append(choice.name)
    words = re.sub(r"[^\w.+=-]+", "_", "-".join(pieces)).strip("._")
    return f"{words[:180]}.{choice.suffix}"


def write_text(path: Path, words: str) -> int:
    """Write a new file; its bytes.

    Raises:
        SaveError: it could not be written.
    """
    data = words.encode("utf-8", "backslashreplace")
    with new_file(path) as file:
        file.write(data)
    return len(data)
