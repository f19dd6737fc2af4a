"""Heat maps: levels held against the plainest way to make them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.protocol.messages import LookAtMaps, Statistics
from stepdbg.tracer.inspect import heatmaps as heat
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import levels as pixels
from stepdbg.tracer.tensors import window as tensors

SIDES = st.integers(1, 40)


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31), st.booleans())
def test_every_pixel_shows_the_extreme_of_its_block(
    rows: int, columns: int, down: int, across: int, seed: int, turned: bool
) -> None:
    made = torch.randn(columns, rows, generator=torch.Generator().manual_seed(seed))
    part = made.t() if turned else made.reshape(rows, columns)
    divided = pixels.blocks(rows, columns, down, across)
    assert divided.rows <= down
    assert divided.columns <= across
    found = pixels.levels(part, divided, tensors.statistics(part))
    low, high, _ = found.scale
    for y in range(divided.rows):
        for x in range(divided.columns):
            block = part[y * divided.high : (y + 1) * divided.high, x * divided.wide : (x + 1) * divided.wide]
            extreme = float(block.flatten()[block.abs().argmax()])
            level = min(15, int((extreme - low) / (high - low) * 16))
            assert found.levels[y * divided.columns + x] == level


def test_zero_lies_between_two_levels_of_a_scale_that_diverges() -> None:
    part = torch.tensor([[-1.0, -1e-6, 1e-6, 0.5]])
    found = pixels.levels(part, pixels.blocks(1, 4, 9, 9), tensors.statistics(part))
    assert found.scale == (-1.0, 1.0, True)
    assert list(found.levels) == [0, 7, 8, 12]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.0, 3.7], (0.0, 4.0, False)),
        ([0.0, 0.0], (0.0, 1.0, False)),
        ([-3.0, -0.1], (-3.0, 0.0, False)),
        ([0.98, 1.02], (0.98, 1.02, False)),
        ([0.983, 1.02], (0.98, 1.02, False)),
        ([7.0, 7.0], (0.0, 8.0, False)),
    ],
)
def test_a_scale_ends_in_round_numbers(values: list[float], scale: tuple[float, float, bool]) -> None:
    part = torch.tensor([values], dtype=torch.float64)
    found = pixels.levels(part, pixels.blocks(1, 2, 9, 9), tensors.statistics(part)).scale
    assert found == (pytest.approx(scale[0]), pytest.approx(scale[1]), scale[2])


def test_what_is_not_finite_has_levels_of_its_own_and_does_not_move_the_scale() -> None:
    part = torch.tensor([[math.nan, math.inf, -math.inf, 2.0]])
    found = pixels.levels(part, pixels.blocks(1, 4, 1, 4), tensors.statistics(part))
    assert list(found.levels) == [pixels.NAN, pixels.INFINITY, pixels.MINUS_INFINITY, 15]
    assert found.scale == (0.0, 2.0, False)
    pooled = pixels.levels(part, pixels.blocks(1, 4, 1, 2), tensors.statistics(part))
    assert list(pooled.levels) == [pixels.NAN, pixels.MINUS_INFINITY]


def test_means_have_a_scale_of_their_own() -> None:
    part = torch.tensor([[10.0, -10.0, 1.0, 1.0]])
    divided = pixels.blocks(1, 4, 1, 2)
    assert pixels.levels(part, divided, tensors.statistics(part)).levels[0] in (0, 15)
    found = pixels.levels(part, divided, tensors.statistics(part), "mean")
    assert found.scale == (0.0, 1.0, False)
    assert list(found.levels) == [0, 15]


def test_of_a_huge_slice_only_some_elements_are_looked_at() -> None:
    part = torch.zeros(1).expand(200_000, 2_000)
    found = pixels.levels(part, pixels.blocks(200_000, 2_000, 32, 64), Statistics(0.0, 1.0))
    assert found.sampled
    assert len(found.levels) == 32 * 63


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float16, torch.uint8])
def test_every_dtype_has_a_map(dtype: torch.dtype) -> None:
    part = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    assert list(pixels.levels(part, pixels.blocks(2, 2, 8, 8), tensors.statistics(part)).levels) == [0, 15, 15, 0]


def test_the_leading_dimensions_choose_the_slice() -> None:
    tensor = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(heat.slice_of(tensor, (1, 2)), tensor[1, 2])
    assert torch.equal(heat.slice_of(tensor, (9, 0)), tensor[1, 0])
    assert heat.slice_of(torch.arange(5), ()).shape == (1, 5)
    assert heat.slice_of(torch.tensor(3.0), ()).shape == (1, 1)


def test_small_slices_come_as_a_page_of_tiles_unpooled() -> None:
    kernels = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0)).transpose(0, 1)
    known = Registry(alive={"w": Alive("parameter", kernels)})
    query = LookAtMaps(("w",), (1, 1), tiles=4, rows=2, columns=2)
    found = heat.heat_maps(known, query, lambda _: tensors.statistics(kernels))
    assert (found.first, found.tiles, found.block_rows, found.block_columns) == (4, 2, 1, 1)
    (only,) = found.maps
    assert (only.rows, only.columns) == (4, 5)
    expected = [
        pixels.levels(one, pixels.blocks(4, 5, 4, 5), tensors.statistics(kernels)).levels for one in kernels[1, 1:]
    ]
    assert only.levels == b"".join(expected)


def test_a_pixel_for_each_element_is_a_window_around_the_cursor_that_moves_by_halves() -> None:
    weight = torch.arange(100.0 * 60).reshape(100, 60)
    registry = Registry()
    registry.alive = {"w": Alive("parameter", weight)}
    for row, column, top, left in ((0, 0, 0, 0), (50, 30, 45, 25), (54, 30, 45, 25), (99, 59, 80, 40)):
        query = LookAtMaps(("w",), (), 1, 20, 20, row, column, "element")
        found = heat.heat_maps(registry, query, lambda name: Statistics(0.0, 5999.0))
        assert (found.top, found.left, found.block_rows, found.block_columns) == (top, left, 1, 1)
        one = found.maps[0]
        assert (one.rows, one.columns, one.here) == (20, 20, float(weight[row, column]))
        exact = pixels.levels(
            weight[top : top + 20, left : left + 20], pixels.Blocks(20, 20, 1, 1), Statistics(0.0, 5999.0)
        )
        assert one.levels == exact.levels


def test_a_slice_has_a_map_of_its_own() -> None:
    weight = torch.randn(4, 6, 5)
    registry = Registry()
    registry.alive = {"w": Alive("parameter", weight)}
    found = heat.heat_maps(registry, LookAtMaps(("w",), where="[1, ::2]", row=2, column=4), lambda name: None)
    assert (found.total_rows, found.total_columns) == (3, 5)
    assert found.maps[0].here == pytest.approx(float(weight[1, 4, 4]))
    with pytest.raises(Refused, match="lies outside"):
        heat.heat_maps(registry, LookAtMaps(("w",), where="[9]"), lambda name: None)
