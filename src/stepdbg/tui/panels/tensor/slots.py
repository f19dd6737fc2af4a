"""What the Tensor panel asks for."""

from __future__ import annotations

from stepdbg.protocol.messages import Beside, HeatMaps, Pictures, TensorView
from stepdbg.tui.state.answers import Slot

TENSOR = Slot("tensor", TensorView, stale_after_edit=True, kept_when_refused=True)
"""The selected tensor, with the figures of everything that hangs on it."""
PART = Slot("part", TensorView, stale_after_edit=True, kept_when_refused=True, problem_of="tensor")
"""The part of it that is shown in full: its histogram and the window of numbers."""
MAPS = Slot("maps", HeatMaps, stale_after_edit=True)
"""Heat maps of its parts."""
PICTURES = Slot("pictures", Pictures, stale_after_edit=True)
"""The images of the tensor that is looked at, where it holds some."""
BESIDE = Slot("beside", Beside, stale_after_edit=True)
"""The same elements of the tensor's value, gradient and optimizer state."""
