"""One object that is alive, as the registry lists it under its name."""

from __future__ import annotations

import torch
from msgspec import Struct

from stepdbg.protocol.messages import Kind


class Alive(Struct, frozen=True, gc=False):
    """One object by its name. (A msgspec struct that no collector looks at, since a stop may make half a million.)"""

    kind: Kind
    tensor: torch.Tensor | None
    value: object = None
    """What it holds, where it is no tensor."""
    serial: int = 0
    """Tells one batch, output or loss from the next."""
    owner: str = ""
    """The parameter of a gradient, the optimizer of a state entry or hyperparameter, the model of a parameter."""
    known: bool = False
    """Of a batch or output that is listed for the first time: whether it was there at the stop before."""
