"""Figures and fingerprints of tensors, held against torch's own."""

from __future__ import annotations

import array

import pytest
import torch
from harness.stand_in import OnDevice, ledger, there
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.tracer.effects.fingerprints import fingerprint
from stepdbg.tracer.tensors import readable
from stepdbg.tracer.tensors import window as tensors

SIZES = st.integers(1, 300)


@settings(deadline=None)
@given(SIZES, st.floats(-1e3, 1e3), st.integers(0, 2**31))
def test_statistics_agree_with_torch(size: int, shift: float, seed: int) -> None:
    tensor = torch.randn(size, generator=torch.Generator().manual_seed(seed)) + shift
    found = tensors.statistics(tensor)
    exact = tensor.double()
    assert found.min == float(tensor.min())
    assert found.max == float(tensor.max())
    assert found.mean == pytest.approx(float(exact.mean()), rel=1e-4, abs=1e-5)
    assert found.norm == pytest.approx(float(exact.norm()), rel=1e-5)
    if size > 1:
        assert found.std == pytest.approx(float(exact.std()), rel=1e-2, abs=2e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_tensor_of_one_number_is_that_number_in_the_type_of_python(dtype: torch.dtype, shape: tuple[int]) -> None:
    tensor = torch.full(shape, -1).to(dtype).requires_grad_(dtype.is_floating_point)
    value = tensors.single(tensor)
    assert value == (True if dtype is torch.bool else -1)
    assert type(value) is type(tensor.tolist() if not shape else tensor.flatten().tolist()[0])
    assert tensors.single(tensor.detach().flatten().repeat(2)) is None
    assert tensors.single(torch.tensor(1j)) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.int64, torch.bool])
def test_statistics_of_other_types_agree_with_float64(dtype: torch.dtype) -> None:
    tensor = (torch.arange(-5, 50) % 7 - 3).to(dtype)
    found, exact = tensors.statistics(tensor), tensor.double()
    assert (found.min, found.max) == (float(exact.min()), float(exact.max()))
    assert found.mean == pytest.approx(float(exact.mean()))
    assert found.std == pytest.approx(float(exact.std()))
    assert found.zeros == int((exact == 0).sum())


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    found = tensors.statistics(torch.tensor([1.0, float("nan"), 3.0, 0.0]))
    assert (found.nan, found.inf, found.zeros) == (1, 0, 1)
    assert (found.min, found.max) == (0.0, 3.0)
    assert found.mean == pytest.approx(4 / 3)
    assert tensors.statistics(torch.tensor([1.0, float("inf")])).inf == 1
    assert tensors.statistics(torch.tensor([float("nan")])).mean is None
    assert tensors.statistics(torch.empty(0)).min is None


def test_a_window_is_cut_from_any_shape_and_layout() -> None:
    tensor = torch.arange(2 * 3 * 4.0).reshape(2, 3, 4)
    cut = tensors.window(tensor, 2, 3, 1, 2)
    assert (cut.total_rows, cut.total_columns, cut.rows, cut.columns) == (6, 4, 3, 2)
    assert list(array.array("d", cut.values)) == [9, 10, 13, 14, 17, 18]
    turned = tensors.window(tensor.transpose(0, 2), 2, 1, 0, 9)
    assert list(array.array("d", turned.values)) == [8, 20]
    assert list(array.array("d", tensors.window(torch.tensor(3.5), 0, 5, 0, 5).values)) == [3.5]
    assert tensors.window(torch.empty(0, 3), 0, 5, 0, 5).rows == 0


def test_a_histogram_counts_every_finite_value() -> None:
    found = tensors.histogram(torch.tensor([0.0, 0.1, 0.9, 1.0, float("nan")]), 2)
    assert found.counts == (2, 2)
    assert tensors.histogram(torch.full((3,), 2.0), 4).counts == (3,)


@pytest.mark.parametrize("place", [torch.Tensor.clone, there], ids=["here", "on a device"])
@pytest.mark.parametrize("count", [1003, 2003], ids=["small", "large"])  # a device fetches what is small
def test_a_fingerprint_sees_order_and_every_byte(place, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "ORDINARY", readable.ORDINARY | {OnDevice})
    tensor = torch.arange(count, dtype=torch.float32)
    swapped = tensor.clone()
    swapped[[3, 4]] = tensor[[4, 3]]
    last = tensor.clone()
    last[-1] += 1
    with ledger():
        found = [fingerprint(place(one)) for one in (tensor, swapped, last)]
        assert fingerprint(place(tensor)) == found[0]
    assert None not in found
    assert len({*found}) == 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.bool, torch.complex64, torch.int16])
def test_every_dtype_has_a_fingerprint(dtype: torch.dtype) -> None:
    tensor = torch.ones(7).to(dtype)
    assert fingerprint(tensor) is not None
    assert fingerprint(tensor) != fingerprint(torch.zeros(7).to(dtype))
    assert fingerprint(torch.ones(3, 5).to(dtype).t()) == fingerprint(torch.ones(5, 3).to(dtype))
