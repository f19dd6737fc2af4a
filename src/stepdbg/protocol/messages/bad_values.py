"""The first value that is not finite, and what produced it."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part


class Producer(Part, frozen=True):
    """What has made a NaN or an infinity of what was finite, or was given one by the script."""

    what: str
    """The operator, the node of a graph, the optimizer, or who else it was: `div`, `SqrtBackward0`, `opt`."""
    why: str = ""
    """Its inputs, where they tell: `0 / 0 at [3, 7]`."""
    module: str = ""
    """The innermost module that it is part of, as the user calls it; empty where that is none, or not known."""
    file: str = ""
    line: int = 0
    """The user's own innermost line; 0 where it is not known."""
    certain: bool = True
    """False where it is the likeliest of several."""
    given: bool = False
    """True where it has not made the value: one of its inputs, made without gradients, held it already."""


class BadValue(Part, frozen=True):
    """The first value that is not finite."""

    kind: Literal["nan", "inf"]
    object: str
    """What holds it, as `LookAt` knows it: `model.fc1.weight.grad`; empty for a number that is no tensor."""
    after: str = ""
    """The phase done, or the one that is not over yet."""
    elements: int = 0
    """How many elements of it are not finite."""
    of: int = 0
    """How many elements it has."""
    at: tuple[int, ...] = ()
    """The index of the first of them."""
    more: int = 0
    """How many further objects of its kind are not finite."""
    rows: tuple[int, ...] = ()
    """The rows of the batch that are concerned, a few; empty where that is all of them, or not known."""
    samples: tuple[int, ...] = ()
    """The samples of the data set that those rows are, where the loader tells."""
    producer: Producer | None = None
    """What produced it; None where that is not known."""
    unknown: str = ""
    """Why the producer is not known."""
