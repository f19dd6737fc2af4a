"""stepdbg: a step debugger for PyTorch training, in a terminal.

The public names, all of which do nothing outside a session:

    @stepdbg.loop             makes a generator that yields phase names into a training loop
    with stepdbg.phase("ema") marks a phase of one's own
    stepdbg.breakpoint()      stops right here
    stepdbg.watch("acc", acc) draws a value over the updates, beside the losses

Importing this imports nothing heavy: it stands in the user's training script.
"""

from __future__ import annotations

from stepdbg.api import breakpoint, loop, phase, watch
from stepdbg.errors import LoopError, StepdbgError

__all__ = ["LoopError", "StepdbgError", "__version__", "breakpoint", "loop", "phase", "watch"]

__version__ = "0.1.0"
