"""Statistics and histograms, held against numpy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tracer.any_tensors import exactly, quantised, tensors, wide

from stepdbg.protocol.messages import Statistics
from stepdbg.tracer.tensors import statistics as subject
from stepdbg.tracer.tensors import window as subjects
from stepdbg.tracer.tensors.distinct_values import DISTINCT

NAN, INF = math.nan, math.inf


@settings(deadline=None, max_examples=300)
@given(tensors() | quantised())
@example(torch.tensor([NAN, NAN]))
@example(torch.tensor([INF, 1.0, -INF]))
@example(torch.tensor([-INF]))
@example(torch.full((5,), 1e30))
@example(torch.full((5,), 1e-30))
@example(torch.tensor([1e200, -1e200, 3e199], dtype=torch.float64))
@example(torch.full((20_000,), 0.1))
@example(torch.cat([torch.randn(20_000) + 1e4, torch.randn(20_000)]))
def test_statistics_agree_with_numpy(tensor: torch.Tensor) -> None:
    found = subject.statistics(tensor)
    assert found is not None
    every = exactly(tensor).reshape(-1)
    numbers = every[~np.isnan(every)]
    finite = bool(np.isfinite(numbers).all())
    assert found.nan == int(np.isnan(every).sum())
    assert found.inf == int(np.isinf(every).sum())
    assert found.zeros == int((every == 0).sum())
    assert found.sampled == 0
    if not numbers.size:
        assert found == Statistics(nan=found.nan, distinct=found.distinct)
        return
    assert found.min == pytest.approx(numbers.min(), rel=1e-6)
    assert found.max == pytest.approx(numbers.max(), rel=1e-6)
    size = float(np.abs(numbers).max())
    if finite:
        assert found.mean == pytest.approx(numbers.mean(), rel=1e-6, abs=1e-7 * size)
        assert found.norm == pytest.approx(np.linalg.norm(numbers), rel=1e-5)
        if numbers.size > 1:
            assert found.std == pytest.approx(numbers.std(ddof=1), rel=1e-4, abs=1e-7 * size)
    else:
        assert found.norm == INF
        assert found.std is None
        assert found.mean in (INF, -INF, None)
    assert subject.norm(tensor) == pytest.approx(np.linalg.norm(every), rel=1e-5, nan_ok=True)


@settings(deadline=None, max_examples=100)
@given(tensors())
def test_distinct_values_are_counted_where_they_are_few(tensor: torch.Tensor) -> None:
    found = subject.statistics(tensor)
    assert found is not None
    every = wide(tensor).numpy() if tensor.is_complex() else exactly(tensor)
    number = len(np.unique(every[~np.isnan(every)]))
    if tensor.numel():
        assert found.distinct == (number if number <= DISTINCT else None)


@settings(deadline=None, max_examples=150)
@given(tensors() | quantised(), st.integers(1, 60))
@example(torch.tensor([NAN, INF, -INF]), 7)
@example(torch.tensor([NAN, 1.0, INF, -2.0, -INF]), 7)
@example(torch.tensor([-1.7e308, 1.7e308, 0.0], dtype=torch.float64), 7)
@example(torch.tensor([0.0, 1e-320], dtype=torch.float64), 7)
def test_a_histogram_agrees_with_numpy(tensor: torch.Tensor, bins: int) -> None:
    readable, _ = subjects.readable(tensor)
    assert readable is not None
    found = subjects.histogram(readable, bins)
    every = exactly(tensor).reshape(-1)
    finite = every[np.isfinite(every)]
    if not finite.size:
        assert found is None
        return
    assert found is not None
    assert not found.sampled
    assert sum(found.counts) == finite.size
    assert (found.low, found.high) == (pytest.approx(finite.min()), pytest.approx(finite.max()))
    if len(found.counts) == bins > 1:
        finite = finite / np.abs(finite).max()
        low, high = finite.min(), finite.max()
        # Up to each edge at least what lies clearly below it, and at most what does not lie clearly above it.
        for place in range(1, bins):
            edge, below = low + (high - low) * (place / bins), sum(found.counts[:place])
            assert (finite < edge - 1e-6).sum() <= below <= (finite < edge + 1e-6).sum()


def test_a_large_tensor_is_sampled_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WHOLE", 1 << 21)
    monkeypatch.setattr(subject, "_SOME", 1 << 20)
    tensor = torch.randn(8_000_000, generator=torch.Generator().manual_seed(1)) + 2
    for layout in (tensor, tensor.view(1000, 8000).t(), tensor.view(1000, 8000)[:, ::2]):
        found = subject.statistics(layout)
        assert found is not None
        assert 0 < found.sampled < layout.numel()
        assert found.mean == pytest.approx(2, abs=0.01)
        assert found.std == pytest.approx(1, abs=0.01)
        assert subject.norm(layout) is None or layout is tensor


def test_an_expanded_tensor_of_a_billion_elements_is_read_once() -> None:
    found = subject.statistics(torch.tensor([3.0, 0.0]).expand(500_000_000, 2))
    assert found is not None
    assert (found.mean, found.std, found.zeros, found.sampled) == (1.5, pytest.approx(1.5), 500_000_000, 0)


def test_what_is_sparse_counts_the_zeros_that_it_does_not_store() -> None:
    dense = torch.zeros(40, 30)
    dense[3, 4], dense[5, 6], dense[7, 8] = 2.0, -4.0, NAN
    for tensor in (dense.to_sparse(), dense.to_sparse_csr(), dense.to_sparse(1)):
        found, plain = subject.statistics(tensor), subject.statistics(dense)
        assert found is not None
        assert plain is not None
        assert (found.min, found.max, found.zeros, found.nan) == (plain.min, plain.max, plain.zeros, 1)
        assert found.mean == pytest.approx(plain.mean)
        assert found.std == pytest.approx(plain.std)
    huge = torch.sparse_coo_tensor(torch.tensor([[1], [2]]), torch.tensor([5.0]), (1_000_000, 1_000_000))
    assert subjects.readable(huge)[0] is None
    found = subject.statistics(huge)
    assert found is not None
    assert (found.max, found.zeros, found.norm) == (5.0, 10**12 - 1, pytest.approx(5.0))


def test_what_is_quantised_is_read_dequantised() -> None:
    numbers = torch.randn(6, 40)
    scales, zeros = torch.rand(6) + 0.1, torch.zeros(6, dtype=torch.int64)
    for tensor in (
        torch.quantize_per_tensor(numbers, 0.05, 3, torch.qint8),
        torch.quantize_per_tensor(numbers, 0.05, 3, torch.quint8).t(),
        torch.quantize_per_channel(numbers, scales, zeros, 0, torch.qint8),
    ):
        found, exact = subject.statistics(tensor), tensor.dequantize().double()
        assert found is not None
        assert found.mean == pytest.approx(float(exact.mean()), abs=1e-6)
        assert found.std == pytest.approx(float(exact.std()), rel=1e-4)
        assert subjects.readable(tensor)[1] == "quantised: shown dequantised"


def test_there_are_no_figures_on_the_meta_device() -> None:
    tensor = torch.empty(3, device="meta")
    assert subject.statistics(tensor) is None
    assert subject.norm(tensor) is None
    assert subjects.readable(tensor)[0] is None


def test_of_a_distributed_tensor_the_shard_is_looked_at_and_nobody_else_is_asked() -> None:
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard

    from stepdbg.tracer.effects.fingerprints import fingerprint

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        shard = torch.arange(6.0).reshape(2, 3)
        tensor = DTensor.from_local(shard, mesh, [Shard(0)])
        found, note = subjects.readable(tensor)
        assert found is not None
        assert type(found) is torch.Tensor
        assert note == "this rank's shard of 2×3, placed S(0)"
        assert subject.statistics(tensor) == subject.statistics(shard)
        assert fingerprint(tensor) == fingerprint(shard)
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("layout", ["straight", "turned", "with gaps", "half precision"])
def test_the_extra_memory_does_not_grow_with_the_tensor(layout: str) -> None:
    """What torch allocates meanwhile, as its own profiler counts it."""
    tensor = torch.randn(3_000, 3_000) + 5
    tensor = {"turned": tensor.t(), "with gaps": tensor[:, ::2], "half precision": tensor.half()}.get(layout, tensor)
    with torch.profiler.profile(profile_memory=True) as profile:
        subject.statistics(tensor)
    held = most = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    assert 0 < most <= 16_000_000


def test_the_norm_of_many_numbers_far_from_zero_is_not_too_small() -> None:
    tensor = torch.randn(8_000_000, generator=torch.Generator().manual_seed(0)) - 100
    assert subject.norm(tensor) == pytest.approx(float(np.linalg.norm(tensor.double().numpy())), rel=1e-6)
