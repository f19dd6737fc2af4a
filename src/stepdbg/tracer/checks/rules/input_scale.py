"""What the first layer is given is far from unit scale, or what a loss is given as labels lies outside its range.

The inputs are those that the layer itself has got, as its node has saved them: what the script or a normalising layer
has scaled before is scaled there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph
from stepdbg.tracer.checks.measured.saved_values import NORMALISING, consumers, layers, saved
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule

_LARGE = 30.0
"""Inputs are large from this root mean square on."""
_SMALL = 0.005
"""Inputs are small where none is larger than this: what was divided by 255 twice is."""
_UPDATES = 3
"""So many losses are looked at before anything is said."""
_COLUMNS, _ROWS = 64, 32
"""Constant columns are told of an input with at most so many, after so many rows."""
_LABELS = {"BinaryCrossEntropyWithLogitsBackward": "binary_cross_entropy_with_logits",
           "BinaryCrossEntropyBackward": "binary_cross_entropy"}  # fmt: skip


@dataclass(slots=True)
class _Seen:
    """What a layer was given so far."""

    sizes: list[float] = field(default_factory=list)
    """The root mean square of each input: of its median sample, since one may be far out."""
    lowest: float = float("inf")
    highest: float = float("-inf")
    rows: int = 0
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    """The least and greatest of each column."""


class InputScale(Rule):
    """The rule `input-scale`."""

    name = "input-scale"
    severity = "warning"
    exact = False

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        """By the weights of first layers."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        graph = moment.graph if moment.comes == "backward" else None
        if graph is None:
            return
        yield from self._labels(moment, graph)
        takers = None
        for layer in layers(graph):
            name = moment.name_of.get(id(layer.weight))
            given = layer.input if layer.source is None and name is not None else None
            if given is None or name is None or not given.is_floating_point():
                continue
            takers = takers or consumers(graph)
            if any(type(one).__name__.rstrip("0123456789") in NORMALISING for one in takers.get(layer.node, ())):
                continue
            seen = self._seen.setdefault(name, _Seen())
            _note(seen, given)
            if len(seen.sizes) == _UPDATES:
                yield from self._judge(moment, name, seen)

    def end(self, moment: Moment) -> Iterable[Finding]:
        for name, seen in self._seen.items():
            if len(seen.sizes) < _UPDATES:
                yield from self._judge(moment, name, seen)
            constant = [place for place, low in enumerate(seen.low) if low == seen.high[place] != 0]
            if constant and seen.rows >= _ROWS and len(seen.low) > 1:
                which = some([str(place) for place in constant])
                yield self.finding(
                    moment,
                    f"{len(constant)} of {len(seen.low)} columns of what {name} is given never change",
                    objects=[name],
                    place=moment.place_of("forward"),
                    evidence=f"columns {which} hold one value in {seen.rows} rows",
                    severity="info",
                )

    def right(self) -> str:
        return "inputs are of a usual scale" if any(len(one.sizes) >= _UPDATES for one in self._seen.values()) else ""

    def _judge(self, moment: Moment, name: str, seen: _Seen) -> Iterator[Finding]:
        size = sorted(seen.sizes)[len(seen.sizes) // 2]
        peak = max(-seen.lowest, seen.highest)
        if size < _LARGE and (peak > _SMALL or peak == 0):
            return
        span = f"{seen.lowest:.3g} to {seen.highest:.3g}"
        large = size >= _LARGE
        limit = f"{_LARGE:g} at most" if large else f"a largest of {_SMALL:g} at least"
        bytes_ = large and seen.lowest >= 0 and 200 <= seen.highest <= 255
        columns = f"; {words}" if (words := _widest(seen)) else ""
        yield self.finding(
            moment,
            f"the inputs of {name} are {'large' if large else 'small'}: they lie from {span}",
            objects=[name],
            place=moment.place_of("forward"),
            evidence=f"a root mean square of {size:.3g} in {len(seen.sizes)} updates (threshold: {limit}){columns}",
            cause="images are given as bytes, from 0 to 255"
            if bytes_
            else f"inputs are not brought to unit scale before {name}",
            fix="divide by 255, and normalise"
            if bytes_
            else "standardise the inputs (subtract the mean, divide by the standard deviation of each column)",
        )

    def _labels(self, moment: Moment, graph: LossGraph) -> Iterator[Finding]:
        for node in graph.of_kind(*_LABELS):
            target = saved(node, "target")
            loss = _LABELS[type(node).__name__.rstrip("0123456789")]
            if target is None:
                continue
            low, high = (float(one) for one in torch.aminmax(target))
            if low < -1e-6 or high > 1 + 1e-6:
                yield self.finding(
                    moment,
                    f"{loss} is given labels outside of 0 to 1",
                    objects=[graph.name],
                    evidence=f"the labels lie from {low:.3g} to {high:.3g}; the loss takes 0 to 1",
                    cause=f"{loss} is given labels from {low:.3g} to {high:.3g}",
                    fix="turn the labels into 0 and 1"
                    if low < 0
                    else "divide the labels by their greatest, or use cross_entropy for classes",
                )


def _note(seen: _Seen, given: torch.Tensor) -> None:
    low, high = (float(one) for one in torch.aminmax(given))
    seen.lowest, seen.highest = min(seen.lowest, low), max(seen.highest, high)
    rows = given.reshape(given.shape[0], -1)
    norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    seen.sizes.append(float(norms.median()) / rows.shape[1] ** 0.5)
    if given.dim() == 2 and given.shape[1] <= _COLUMNS:
        least, greatest = (one.tolist() for one in torch.aminmax(given, dim=0))
        seen.rows += given.shape[0]
        if len(seen.low) == len(least):
            least, greatest = [*map(min, seen.low, least)], [*map(max, seen.high, greatest)]
        seen.low, seen.high = least, greatest


def _widest(seen: _Seen) -> str:
    """The columns of the widest and of the narrowest range."""
    ranges = [high - low for low, high in zip(seen.low, seen.high, strict=True)]
    if len(ranges) < 2:
        return ""
    wide, narrow = ranges.index(max(ranges)), ranges.index(min(ranges))
    return f"column {wide} ranges over {ranges[wide]:.3g}, column {narrow} over {ranges[narrow]:.3g}"
