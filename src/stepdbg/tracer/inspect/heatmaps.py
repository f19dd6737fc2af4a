"""Answers what heat maps show: which slice or page of which tensors, divided into how many pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import torch

from stepdbg.errors import SliceError
from stepdbg.protocol import slices
from stepdbg.protocol.messages import HeatMap, HeatMaps, LookAtMaps, Statistics
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.levels import Blocks, blocks, levels

_MOST_TILES = 512
"""Slices that are sent at a time."""


class Maps(Handler):
    """Answers `LookAtMaps`."""

    answers = (LookAtMaps,)

    def __init__(self, registry: Registry, copies: BeforeCopies, figures: Figures) -> None:
        self._registry = registry
        self._copies = copies
        self._figures = figures

    def answer(self, query: LookAtMaps) -> HeatMaps:
        """The maps that are asked for."""
        return heat_maps(self._registry, query, self._statistics, self._old)

    def _statistics(self, name: str) -> Statistics | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        return self._figures.statistics(name, entry.tensor)

    def _old(self, name: str) -> torch.Tensor | None:
        copy = self._copies.old(name)
        return None if copy is None else copy.tensor


def heat_maps(
    registry: Registry,
    query: LookAtMaps,
    statistics: Callable[[str], Statistics | None],
    old: Callable[[str], torch.Tensor | None] = lambda name: None,
) -> HeatMaps:
    """The maps that are asked for.

    Args:
        registry: What is alive.
        query: The objects, the slice, the room for it.
        statistics: Of a whole tensor, by its name.
        old: What a tensor was before the phase that changed it; None where that is not known.

    Raises:
        Refused: none of the objects has numbers to show.
    """
    shown: HeatMaps | None = None
    shape: torch.Size | None = None
    maps: list[HeatMap] = []
    for name in query.objects:
        entry = registry.alive.get(name)
        value = None if entry is None or entry.tensor is None else tensors.readable(entry.tensor)[0]
        if value is None or not value.numel() or (shape is not None and value.shape != shape):
            continue
        if shape is None:
            _check(query.where, tuple(value.shape))
        shape = value.shape
        if value.is_quantized:  # torch picks no elements of such
            value = tensors.real(value)
        before = old(name) if query.side != "now" else None
        if query.side != "now" and before is None:
            continue
        if query.side == "before":
            assert before is not None
            value, before = before, None
        value, before = (
            tensors.sliced(value, query.where),
            None if before is None else tensors.sliced(before, query.where),
        )
        part, less = slice_of(value, query.slice), slice_of(before, query.slice) if before is not None else None
        high, wide = part.shape
        first, tiles = 0, 1
        top = left = 0
        if query.tiles > 1:
            first, tiles, stacked = _page(value, query.slice, query.tiles)
            stacked_less = _page(before, query.slice, query.tiles)[2] if before is not None else None
            divided = Blocks(tiles * high, wide, 1, 1)
        elif query.pool == "element":
            top, left = around(query.row, high, query.rows), around(query.column, wide, query.columns)
            stacked = _part(part, top, left, query)
            stacked_less = None if less is None else _part(less, top, left, query)
            divided = Blocks(stacked.shape[0], stacked.shape[1], 1, 1)
        else:
            stacked, stacked_less, divided = part, less, blocks(high, wide, query.rows, query.columns)
        known = statistics(name) if before is None else None
        found = levels(stacked, divided, known, query.pool, stacked_less)
        inside = 0 <= query.row < high and 0 <= query.column < wide
        maps.append(
            HeatMap(
                object=name,
                rows=divided.rows // tiles,
                columns=divided.columns,
                levels=found.levels,
                low=found.scale.low,
                high=found.scale.high,
                diverging=found.scale.diverging,
                here=_element(part, less, query.row, query.column) if inside else None,
                sampled=found.sampled,
            )
        )
        shown = HeatMaps(query.slice, high, wide, divided.high, divided.wide, (), first, tiles, query.side, top, left)
    if shown is None and query.side != "now":
        raise Refused("what was before is not known: no phase has changed it since it was last looked at")
    if shown is None:
        raise Refused(f"{query.objects[0] if query.objects else 'nothing'} has no numbers to draw at this stop")
    return msgspec.structs.replace(shown, maps=tuple(maps))


def around(place: int, length: int, room: int) -> int:
    """The beginning of a window of that length in which the place is seen; it moves on by halves, not at each step."""
    half = max(1, room // 2)
    return max(0, min(place // half * half - half // 2, length - room))


def _part(part: torch.Tensor, top: int, left: int, query: LookAtMaps) -> torch.Tensor:
    return part[top : top + max(1, query.rows), left : left + max(1, query.columns)]


def _check(where: str, shape: tuple[int, ...]) -> None:
    try:
        places = slices.read(where, shape)
    except SliceError as error:
        raise Refused(f"{where}: {error}") from error
    if any(isinstance(place, slice) and place.start == place.stop for place in places):
        raise Refused(f"{where} holds no elements")


def _element(part: torch.Tensor, less: torch.Tensor | None, row: int, column: int) -> float:
    if less is None:
        return float(tensors.real(part[row, column]))
    return float(tensors.difference(part[row, column], less[row, column]))


def slice_of(tensor: torch.Tensor, fixed: tuple[int, ...]) -> torch.Tensor:
    """The two last dimensions at these indices of the others, which are clipped to what there is."""
    if tensor.dim() < 2:
        return tensor.reshape(1, -1)
    for place in (*fixed, *[0] * tensor.dim())[: tensor.dim() - 2]:
        tensor = tensor[max(0, min(place, tensor.shape[0] - 1))]
    return tensor


def _page(value: torch.Tensor, fixed: tuple[int, ...], tiles: int) -> tuple[int, int, torch.Tensor]:
    """The number of the first slice of the page, how many are on it, and all of them below each other."""
    outer = tuple(value.shape[:-2])
    number = 0
    for place, size in zip((*fixed, *[0] * len(outer)), outer, strict=False):
        number = number * size + max(0, min(place, size - 1))
    first = number // tiles * tiles
    last = min(first + min(tiles, _MOST_TILES), math.prod(outer))
    slices = [slice_of(value, tensors.unravel(number, outer)) for number in range(first, last)]
    return first, len(slices), torch.cat(slices)
