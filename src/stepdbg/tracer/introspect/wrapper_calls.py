"""What the call that makes a boundary was made with: read off the variables of the wrapper's own frame, while somebody
looks.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

from stepdbg.tracer.introspect import stack as frames


def call_at(frame: FrameType | None) -> dict[str, Any]:
    """The variables of the innermost wrapper of ours, from `frame` outwards; empty where there is none."""
    while frame is not None and frames.origin(frame.f_code.co_filename) == "stepdbg":
        if frame.f_code.co_filename == frames.INVISIBLE_FILE:
            return frames.local_variables(frame)
        frame = frame.f_back
    return {}


def arguments_of(call: dict[str, Any]) -> list[Any]:
    """What it was called with."""
    return [*(call.get("args") or ()), *(call.get("kwargs") or {}).values()]
