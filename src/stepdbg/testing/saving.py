"""What the fake debuggee saves: the numbers as text, which stand in for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stepdbg.errors import SaveError
from stepdbg.new_file import new_file
from stepdbg.protocol.messages import Refusal, Save, Saved


def save(query: Save, tensors: Mapping[str, Sequence[float]]) -> Saved | Refusal:
    """Write one tensor or all, a line for each."""
    if query.object and query.object not in tensors:
        return Refusal(f"{query.object} is not there at this stop; nothing was saved")
    names = [query.object] if query.object else list(tensors)
    try:
        with new_file(Path(query.path)) as file:
            for name in names:
                file.write(f"{name} {' '.join(map(repr, tensors[name]))}\n".encode())
            size = file.tell()
    except SaveError as error:
        return Refusal(str(error))
    return Saved(query.path, len(names), size)
