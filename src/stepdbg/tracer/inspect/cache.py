"""Norms and statistics that are worked out once for as long as a tensor's fingerprint stays the same.

Every stop takes fingerprints of everything anyway, and most phases change little: what the screen shows of the rest
need not be computed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch

from stepdbg.protocol.messages import Histogram, Statistics
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.fingerprints import small_bytes
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.batched_norms import TAKEN, norms, norms_of

_KEPT = 4_096
"""Figures that are remembered; then all are forgotten."""


class Figures(Handler):
    """The figures known, by name and fingerprint."""

    def __init__(self) -> None:
        self._snapshot: ObjectSnapshot = {}
        self._known: dict[tuple[str, str], tuple[object, Any]] = {}
        self._moment = 0
        """Moves when anything may have become another one: what has no fingerprint is known until then."""

    def open(self, at: AtStop) -> None:
        """Training has stopped: everything looks as in the snapshot."""
        self._snapshot = at.snapshot
        self._moment += 1
        if len(self._known) > _KEPT:
            self._known.clear()

    def close(self) -> None:
        """Training goes on."""
        self._snapshot = {}

    def edited(self) -> None:
        """Something is being edited: the snapshot holds no more."""
        self._snapshot = {}
        self._moment += 1
        self._known.clear()

    def norm(self, name: str, tensor: torch.Tensor) -> float | None:
        """The 2-norm; None where the tensor has no readable numbers."""
        return self._figure("norm", name, tensor, tensors.norm)  # type: ignore[no-any-return]

    def norms(self, named: Sequence[tuple[str, torch.Tensor]]) -> list[float | None]:
        """The 2-norms of many; small tensors are gone over together."""
        there: list[tuple[str, object, torch.Tensor]] = []
        known, together = self._known, defaultdict[torch.dtype, list[tuple[str, object, bytes]]](list)
        for name, tensor in named:
            state = self._state(name, tensor)
            if (last := known.get(("norm", name))) is not None and last[0] == state:
                continue
            if not tensor.is_cpu:
                there.append((name, state, tensor))
            elif (dtype := tensor.dtype) in TAKEN and (data := small_bytes(tensor)) is not None:
                together[dtype].append((name, state, data))
        for (name, state, _), size in zip(there, norms_of([tensor for _, _, tensor in there]), strict=True):
            known["norm", name] = (state, size)
        for dtype, each in together.items():
            found = norms(dtype, [data for _, _, data in each])
            for (name, state, _), norm in zip(each, found, strict=True):
                known["norm", name] = (state, norm)
        return [self.norm(name, tensor) for name, tensor in named]

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
        state = self._state(name, tensor)
        known = self._known.get((what, name))
        if known is not None and known[0] == state:
            return known[1]
        figure = work_out(tensor)
        self._known[what, name] = (state, figure)
        return figure

    def prints(self, name: str) -> object:
        """The fingerprint of that object at this stop; None where it has none."""
        record = self._snapshot.get(name)
        return record.print if record is not None else None

    def _state(self, name: str, tensor: torch.Tensor) -> object:
        """What a figure holds for: the fingerprint, or where there is none this moment."""
        known = self.prints(name)
        return known if known is not None else (self._moment, id(tensor))
