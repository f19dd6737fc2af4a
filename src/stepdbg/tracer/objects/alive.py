"""One object that is alive, as the registry lists it under its name, or as a source has noted it: weakly."""

from __future__ import annotations

import weakref

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
    """Tells one batch, output or loss from the next; a trained tensor outside all models from another of its name."""
    owner: str = ""
    """The parameter of a gradient, the optimizer of a state entry or hyperparameter, the model of a parameter."""
    known: bool = False
    """Whether a batch or output that is listed for the first time was there at the stop before."""


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
