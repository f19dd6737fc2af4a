"""The newest batch, outputs and loss, as a source has noted them: weak references that tell one from the next."""

from __future__ import annotations

import weakref

import torch
from msgspec import Struct

from stepdbg.protocol.messages import Kind


class Slot(Struct):
    """A batch, output or loss that a source has seen. (A msgspec struct, since some are made in each update.)"""

    kind: Kind
    ref: weakref.ref[torch.Tensor]
    name: str
    serial: int
    default: str
    """What it is called where no variable holds it: its path in the nest that was noted (`batch['mask']`)."""
    maker: int | None = None
    """The sequence number of the node that made it, of a number with a graph; it outlives the tensor."""


def maker_of(tensor: torch.Tensor) -> int | None:
    """The sequence number of the node that made a single number; None of any other tensor."""
    if tensor.dim() == 0 and (node := tensor.grad_fn) is not None:
        return node._sequence_nr()
    return None
