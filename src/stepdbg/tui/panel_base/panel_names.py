"""What the panels are called, and by which digits they are gone to."""

from __future__ import annotations

PANELS = {
    "1": "model", "2": "tensor", "3": "effects", "4": "optimizer", "5": "loss", "6": "source", "7": "output",
    "8": "breaks", "9": "console",
}  # fmt: skip
"""The panels by the digit that goes to them."""
NAMES = {
    "model": "Model", "tensor": "Tensor", "effects": "Effects", "optimizer": "Optimizer", "loss": "Loss",
    "source": "Source", "output": "Output", "breaks": "Breaks", "console": "Console", "rail": "Rail",
}  # fmt: skip
"""The panels and the rail as titles, tabs and sentences call them."""
SHORT_NAMES = {"optimizer": "Optim"}
"""For a terminal of 80 columns, on which the tabs of all panels are to be read."""
DIGITS = {panel: digit for digit, panel in PANELS.items()}
