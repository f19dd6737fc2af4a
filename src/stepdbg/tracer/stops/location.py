"""Where in the user's code a boundary lies."""

from __future__ import annotations

import os
import sys
from types import FrameType

import msgspec

from stepdbg.protocol.messages import Boundary
from stepdbg.tracer.introspect import stack as frames


def stack_around(frame: FrameType | None) -> list[FrameType]:
    """All frames, those of libraries below the user's among them; a suspended generator stands on its drivers'."""
    around = frames.stack(sys._getframe(1))
    return around if frame is None or any(frame is other for other in around) else [frame, *around]


def placed(boundary: Boundary, frame: FrameType | None, line: int | None = None) -> Boundary:
    """The boundary with the user's file and line (a failed frame's is not its present one)."""
    if frame is None:
        return boundary
    file = os.path.abspath(frame.f_code.co_filename)
    return msgspec.structs.replace(boundary, file=file, line=line or frame.f_lineno)
