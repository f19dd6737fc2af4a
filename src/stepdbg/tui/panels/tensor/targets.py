"""What a click in the Tensor panel stands for."""

from __future__ import annotations

from stepdbg.protocol.messages import Side
from stepdbg.tui.drawing.lines import Target


class PartTarget(Target, frozen=True):
    """A part of the tensor is to be shown: its value, its gradient, an entry of the optimizer's state."""

    label: str


class SideTarget(Target, frozen=True):
    """The tensor is to be shown as it is, as it was, or the difference."""

    side: Side


class CellTarget(Target, frozen=True):
    """The cursor is to go to an element, a pixel or a picture."""

    row: int
    column: int
