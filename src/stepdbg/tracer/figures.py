"""Norms and statistics that are worked out once for as long as a tensor's fingerprint stays the same.

Every stop takes fingerprints of everything anyway, and most phases change little: what the screen shows of the rest
need not be computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stepdbg.protocol.messages import Histogram, Statistics
from stepdbg.tracer import tensors
from stepdbg.tracer.effects import Picture

_KEPT = 4_096
"""Figures that are remembered; then all are forgotten."""


class Figures:
    """The figures known, by name and fingerprint."""

    def __init__(self) -> None:
        self._picture: Picture = {}
        self._known: dict[tuple[str, str], tuple[object, Any]] = {}
        self._moment = 0
        """Moves when anything may have become another one: what has no fingerprint is known until then."""

    def open(self, picture: Picture) -> None:
        """Training has stopped, and everything looks like this."""
        self._picture = picture
        self._moment += 1
        if len(self._known) > _KEPT:
            self._known.clear()

    def close(self) -> None:
        """Training goes on."""
        self._picture = {}

    def forget(self) -> None:
        """Something is being edited: the picture holds no more."""
        self._picture = {}
        self._moment += 1
        self._known.clear()

    def norm(self, name: str, tensor: torch.Tensor) -> float | None:
        """The 2-norm; None where the tensor has no readable numbers."""
        return self._figure("norm", name, tensor, tensors.norm)  # type: ignore[no-any-return]

    def statistics(self, name: str, tensor: torch.Tensor) -> Statistics | None:
        """Over all elements; None where the tensor has no readable numbers."""
        return self._figure("statistics", name, tensor, tensors.statistics)  # type: ignore[no-any-return]

    def histogram(self, name: str, tensor: torch.Tensor, bins: int) -> Histogram | None:
        """Equal bins over the finite values; None where there are none."""

        def worked_out(tensor: torch.Tensor) -> Histogram | None:
            value, _ = tensors.readable(tensor)
            return None if value is None else tensors.histogram(value, bins)

        return self._figure(f"histogram {bins}", name, tensor, worked_out)  # type: ignore[no-any-return]

    def remembered(self, what: str, name: str, tensor: torch.Tensor, work_out: Callable[[], Statistics | None]) -> Any:
        """Any other figure of that tensor, as long as it stays the same."""
        return self._figure(what, name, tensor, lambda _: work_out())

    def _figure(self, what: str, name: str, tensor: torch.Tensor, work_out: Any) -> Any:
        mark = self._picture.get(name)
        state = mark.print if mark is not None and mark.print is not None else (self._moment, id(tensor))
        known = self._known.get((what, name))
        if known is not None and known[0] == state:
            return known[1]
        figure = work_out(tensor)
        self._known[what, name] = (state, figure)
        return figure
