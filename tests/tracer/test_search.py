"""Slices, and the next element of a kind, held against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tracer.any_tensors import exactly, tensors

from stepdbg.errors import SliceError
from stepdbg.protocol import slices
from stepdbg.protocol.messages import Condition
from stepdbg.tracer.tensors import search
from stepdbg.tracer.tensors import window as subjects

CONDITIONS = st.sampled_from(
    (
        Condition(odd=True),
        Condition(low=0.5),
        Condition(high=-0.5),
        Condition(low=-1, high=1),
        Condition(low=-1, high=1, outside=True),
        Condition(low=0, high=0),
    )
)


def meets(numbers: np.ndarray, condition: Condition) -> np.ndarray:
    if condition.odd:
        return ~np.isfinite(numbers)
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    inside = (numbers >= low) & (numbers <= high)
    return ~inside & ~np.isnan(numbers) if condition.outside else inside


@settings(deadline=None, max_examples=200)
@given(tensors(), CONDITIONS, st.integers(0, 200), st.booleans(), st.sampled_from((1, 3, 7, 1 << 20)))
def test_the_next_element_is_the_one_that_numpy_finds(
    tensor: torch.Tensor, condition: Condition, start: int, backwards: bool, run: int
) -> None:
    numbers = exactly(tensor).reshape(-1)
    if run < 100 and tensor.numel() > 500:
        run = 1_000
    places = np.flatnonzero(meets(numbers, condition))
    wanted = places[places <= start][-1:] if backwards else places[places >= start][:1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_RUN", run)
        start = min(start, max(0, tensor.numel() - 1))
        wanted = places[places <= start][-1:] if backwards else places[places >= start][:1]
        found = search.find(tensor, None, condition, start, backwards=backwards)
    assert found.further is None
    assert found.number == (int(wanted[0]) if wanted.size else None)


def test_a_long_search_says_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_SECONDS", 0.0)
    tensor = torch.zeros(1).expand(1_000_000_000)
    found = search.find(tensor, None, Condition(odd=True), 0, backwards=False)
    assert (found.number, found.further) == (None, 1 << 20)


PIECES = st.one_of(
    st.integers(-5, 4).map(str),
    st.tuples(
        *[st.one_of(st.just(""), st.integers(-6, 6).map(str))] * 2, st.sampled_from(("", ":", ":1", ":2", ":3"))
    ).map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}"),
    st.just("..."),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=4), st.lists(st.integers(1, 5), max_size=4).map(tuple))
@example(["..."], ())
@example(["..."], (2, 3))
def test_a_slice_cuts_what_numpy_cuts(pieces: list[str], shape: tuple[int, ...]) -> None:
    text = f"[{', '.join(pieces)}]"
    numbers = np.arange(math.prod(shape)).reshape(shape)
    try:
        wanted = eval(f"numbers{text}", {"numbers": numbers}) if pieces else numbers
    except IndexError:
        with pytest.raises(SliceError):
            slices.read(text, shape)
        return
    places = slices.read(text, shape)
    cut = subjects.sliced(torch.from_numpy(numbers), text)
    assert cut.tolist() == wanted.tolist()
    assert slices.read(slices.words(places, shape), shape) == places
    if cut.numel():
        last = tuple(size - 1 for size in cut.shape)
        assert numbers[slices.original(places, last)] == int(cut[last])


def test_an_index_is_told_from_a_slice() -> None:
    assert slices.element("[10, 0]", (20, 5)) == (10, 0)
    assert slices.element("-1", (20, 5)) == (19, 0)
    assert slices.element("[10, :]", (20, 5)) is None
    with pytest.raises(SliceError, match="index 20 lies outside of dimension 0, which has 20"):
        slices.element("[20, 0]", (20, 5))
    with pytest.raises(SliceError, match="too many"):
        slices.read("[1, 2, 3]", (20, 5))
    with pytest.raises(SliceError, match="no step below 1"):
        slices.read("[::-1]", (20, 5))
    with pytest.raises(SliceError, match="write for example"):
        slices.read("[x]", (20, 5))
