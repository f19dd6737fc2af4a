"""A boundary that training has come to, or a line, with all that decides whether to stop there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cached_property
from types import FrameType
from typing import Any, NamedTuple

from stepdbg.protocol import messages as m


class Arrival(NamedTuple):
    """A boundary that training has come to."""

    boundary: m.Boundary
    silent: bool
    """Whether nothing lies between this boundary and the one before: the two are one."""
    sure: bool
    """Whether it is known what comes next; else that is a guess."""
    frame: FrameType | None = None
    """The user's own innermost frame, from which the phase that comes next is called."""
    coming: weakref.ref[Any] | None = None
    """The model or optimizer whose phase comes next, where that is known."""
    done: weakref.ref[Any] | None = None
    """The model or optimizer whose phase is done, where that is known."""
    loss_done: str | None = None
    """What the loss is called that the backward just done was called on."""
    next_epoch: int | None = None
    """The epoch of the phase that comes next, where that is another than the boundary's, which is of the phase done."""

    @property
    def coming_epoch(self) -> int | None:
        """The epoch of the phase that comes next."""
        return self.boundary.epoch if self.next_epoch is None else self.next_epoch


class AtLine:
    """A line that training has come to. Where it is among the phases is found out when a breakpoint asks for it, since
    most conditions on a line read nothing but its frame.
    """

    coming: weakref.ref[Any] | None = None
    done: weakref.ref[Any] | None = None

    @property
    def coming_epoch(self) -> int | None:
        """The epoch that the line is in."""
        return self.boundary.epoch

    def __init__(self, frame: FrameType, here: Callable[[], m.Boundary]) -> None:
        self.frame: FrameType | None = frame
        """The user's frame, which is about to run the line."""
        self._here = here

    @cached_property
    def boundary(self) -> m.Boundary:
        """Where training is."""
        return self._here()
