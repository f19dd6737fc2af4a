"""How often a device is asked, and how much of its memory is taken, at a stop: held on a stand-in for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
import torch
from harness.stand_in import OnDevice, ledger, there
from torch.utils._pytree import tree_leaves, tree_map

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects import before_copies as copies
from stepdbg.tracer.effects import differences, fingerprints
from stepdbg.tracer.foresight import moves, parts
from stepdbg.tracer.nonfinite import finite
from stepdbg.tracer.tensors import (
    batched_norms as many_norms,
)
from stepdbg.tracer.tensors import levels as pixels
from stepdbg.tracer.tensors import (
    pieces,
    readable,
    search,
    statistics,
)
from stepdbg.tracer.tensors import (
    window as tensors,
)

K, M = 1 << 10, 1 << 20


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's tensors hold their elements themselves, as a device's do."""
    monkeypatch.setattr(readable, "ORDINARY", readable.ORDINARY | {OnDevice})


class Cost(NamedTuple):
    """At most so much may be asked of the device."""

    make: Callable[[], Any]
    ask: Callable[[Any], Any]
    waits: int
    kernels: int
    megabytes: float


def with_nan() -> torch.Tensor:
    return torch.randn(4 * M).index_fill_(0, torch.tensor([5]), float("nan"))


def foresee(given: Any) -> Any:
    value, grad, average, square = given
    state = {"step": torch.tensor(3.0), "exp_avg": average, "exp_avg_sq": square}
    group = {"lr": 1e-3, "eps": 1e-8, "betas": (0.9, 0.999), "weight_decay": 0.1}
    ready = parts.Ready(value, grad, None, None, 1.0, 1.0, state, group, "torch.optim.adamw")
    sums = moves.Sums()
    for index in pieces.pieces(tuple(value.shape), moves.piece_on(value.device)):
        sums.add(*parts.moved(None, ready, index))
    return sums.move("total")


COSTS = {
    "fingerprint of 16": Cost(lambda: torch.randn(16), fingerprints.fingerprint, 1, 1, 0.1),
    "fingerprints of 1000 small": Cost(
        lambda: [torch.randn(100) for _ in range(1000)], fingerprints.fingerprints, 1, 1, 1
    ),
    "fingerprints of 100 larger": Cost(
        lambda: [torch.randn(4000) for _ in range(100)], fingerprints.fingerprints, 1, 1000, 10
    ),
    "fingerprint of 24 MB": Cost(lambda: torch.randn(6 * M), fingerprints.fingerprint, 1, 16, 70),
    "fingerprint, transposed": Cost(lambda: torch.randn(2 * K, 3 * K).t(), fingerprints.fingerprint, 1, 45, 70),
    "fingerprint, with gaps": Cost(lambda: torch.randn(2 * K, 4 * K)[:, ::2], fingerprints.fingerprint, 1, 60, 90),
    "fingerprint, at an odd offset": Cost(
        lambda: torch.randn(12 * M + 1, dtype=torch.bfloat16)[1:], fingerprints.fingerprint, 1, 60, 90
    ),
    "fingerprint, conjugate": Cost(
        lambda: torch.randn(M, dtype=torch.complex64).conj(), fingerprints.fingerprint, 1, 12, 70
    ),
    "fingerprint, channels last": Cost(
        lambda: torch.randn(64, 64, 3, 3).to(memory_format=torch.channels_last), fingerprints.fingerprint, 1, 12, 1
    ),
    "statistics of 16": Cost(lambda: torch.randn(16), statistics.statistics, 1, 1, 0.1),
    "statistics of 16 MB": Cost(lambda: torch.randn(4 * M), statistics.statistics, 3, 45, 10),
    "statistics of bfloat16": Cost(
        lambda: torch.randn(4 * M, dtype=torch.bfloat16), statistics.statistics, 3, 40, 80
    ),
    "statistics of int64": Cost(lambda: torch.randint(-9, 9, (4 * M,)), statistics.statistics, 4, 60, 80),
    "statistics of complex": Cost(
        lambda: torch.randn(2 * M, dtype=torch.complex64), statistics.statistics, 4, 60, 140
    ),
    "statistics, one NaN": Cost(with_nan, statistics.statistics, 5, 90, 140),
    "statistics of float64, one NaN": Cost(lambda: with_nan().double(), statistics.statistics, 5, 90, 160),
    "statistics, far from zero": Cost(lambda: torch.randn(4 * M) + 1000, statistics.statistics, 5, 60, 80),
    "statistics, transposed": Cost(lambda: torch.randn(2 * K, 2 * K).t(), statistics.statistics, 3, 30, 1),
    "norm": Cost(lambda: torch.randn(4 * M), statistics.norm, 1, 3, 0.1),
    "norm of bfloat16": Cost(lambda: torch.randn(4 * M, dtype=torch.bfloat16), statistics.norm, 1, 3, 0.1),
    "norms of 1000": Cost(lambda: [torch.randn(100) for _ in range(1000)], many_norms.norms_of, 1, 2, 1),
    "histogram": Cost(lambda: torch.randn(4 * M), lambda tensor: tensors.histogram(tensor, 40), 1, 2, 10),
    "window": Cost(lambda: torch.randn(4 * K, 4 * K), lambda tensor: tensors.window(tensor, 0, 40, 0, 8), 1, 2, 1),
    "single": Cost(lambda: torch.randn(()), tensors.single, 1, 1, 0.1),
    "moved": Cost(
        lambda: (torch.randn(4 * M), torch.randn(4 * M)), lambda pair: differences.moved(*pair).statistics, 8, 120, 70
    ),
    "moved, before on the host": Cost(
        lambda: (torch.randn(M), HOST), lambda pair: differences.moved(*pair).statistics, 3, 40, 70
    ),
    "heat map": Cost(
        lambda: torch.randn(2 * K, 2 * K),
        lambda tensor: pixels.levels(tensor, pixels.blocks(2 * K, 2 * K, 40, 80), None), 2, 20, 40,
    ),
    "search for a NaN": Cost(
        lambda: torch.randn(M),
        lambda tensor: search.find(tensor, None, m.Condition(odd=True), 0, backwards=False), 1, 10, 30,
    ),
    "whether 1000 are finite": Cost(
        lambda: [torch.randn(100) for _ in range(1000)], lambda those: finite.is_bad(those, infinite=True), 1, 3, 1
    ),
    "foresight": Cost(lambda: tuple(torch.rand(K, K) for _ in range(4)), foresee, 4, 160, 40),
}  # fmt: skip
HOST = torch.randn(M)


def moved_there(one: Any) -> Any:
    """Every tensor, but the one that stays where it is."""
    return there(one) if isinstance(one, torch.Tensor) and one is not HOST else one


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """NaN included."""
    return torch.equal(one.resolve_conj().nan_to_num(7.0), other.resolve_conj().nan_to_num(7.0))


def alike(found: Any, wanted: Any) -> bool:
    """Whether two answers are the same but for the order in which numbers were added up."""
    if isinstance(wanted, msgspec.Struct) and type(found) is type(wanted):
        return alike(msgspec.structs.asdict(found), msgspec.structs.asdict(wanted))
    if isinstance(wanted, dict):
        return wanted.keys() == found.keys() and all(alike(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(wanted) == len(found) and all(map(alike, found, wanted))
    if isinstance(wanted, float):
        return bool(found == pytest.approx(wanted, rel=1e-5, abs=1e-5))
    return bool(found == wanted)


@pytest.mark.parametrize("name", COSTS)
def test_a_device_is_asked_no_more_often_than_it_must_be(name: str) -> None:
    cost = COSTS[name]
    torch.manual_seed(0)
    given = cost.make()
    with torch.no_grad():
        wanted = cost.ask(given)
        was = tree_map(lambda one: one.clone(), given)
    with ledger() as asked:
        on_device = tree_map(moved_there, given)
        before = asked.held
        asked.peak = before
        asked.kernels.clear()
        found = cost.ask(on_device)
    assert all(map(same_bits, tree_leaves(given), tree_leaves(was)))
    told = f"{dict(asked.waits)}, {dict(asked.kernels)}, {(asked.peak - before) / 1e6:.1f} MB"
    if "fingerprint" not in name or "small" in name or name.endswith("of 16"):
        assert alike(found, wanted), (found, wanted)
    assert asked.waits.total() <= cost.waits, told
    assert asked.kernels.total() <= cost.kernels, told
    assert asked.peak - before <= cost.megabytes * 1e6, told


def tensors_of_every_kind() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    wide = torch.randn(2000, 2000)
    return {
        "straight": torch.randn(100_001),
        "bytes": torch.randint(0, 9, (100_003,), dtype=torch.uint8),
        "halves": torch.randn(99_999).half()[1:],
        "transposed": wide.t(),
        "with gaps": wide[:, ::3],
        "expanded": torch.randn(3000, 1).expand(3000, 5),
        "complex": torch.randn(50_000, dtype=torch.complex64),
        "conjugate": torch.randn(50_000, dtype=torch.complex64).conj(),
        "negative": torch.randn(50_000, dtype=torch.complex64).conj().imag,
        "channels last": torch.randn(8, 16, 30, 30).to(memory_format=torch.channels_last),
        "small": torch.randn(10),
        "a number": torch.tensor(3.0),
        "empty": torch.empty(0, 4),
    }


@pytest.mark.parametrize("name", tensors_of_every_kind())
def test_a_fingerprint_on_a_device_moves_with_any_element_and_with_any_two_that_change_places(name: str) -> None:
    tensor = tensors_of_every_kind()[name]
    with ledger():
        first = fingerprints.fingerprint(there(tensor))
        assert first == fingerprints.fingerprint(there(tensor))
        if not tensor.numel():
            assert first == 0
            return
        last = (-1,) * tensor.dim()
        held = tensor[last].clone()
        tensor[last] = 5
        assert fingerprints.fingerprint(there(tensor)) != first
        tensor[last] = held
        assert fingerprints.fingerprint(there(tensor)) == first
        if tensor.numel() > 1 and name != "expanded":
            start = (0,) * tensor.dim()
            one, other = tensor[start].clone(), tensor[last].clone()
            assert one != other
            tensor[start], tensor[last] = other, one
            assert fingerprints.fingerprint(there(tensor)) != first


def test_two_words_that_change_places_far_apart_are_seen() -> None:
    tensor = torch.arange(3 * M, dtype=torch.int64)
    with ledger():
        first = fingerprints.fingerprint(there(tensor))
        tensor[[3, 2 * M + 3]] = tensor[[2 * M + 3, 3]]
        assert fingerprints.fingerprint(there(tensor)) != first


def test_copies_are_kept_in_the_memory_of_the_host_until_it_is_known_what_training_needs_of_the_device() -> None:
    kept = copies.BeforeCopies()
    with ledger() as asked:
        tensor = there(torch.randn(M))
        copy = kept._copied("weight", tensor, None, {}, None)
    assert isinstance(copy, torch.Tensor)
    assert copy.is_cpu
    assert asked.peak == tensor.nbytes


class Broken(OnDevice):
    """A device whose last kernel has failed: whatever is asked of it is answered with that."""

    @classmethod
    def asked(cls) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")


def test_a_device_that_has_failed_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "ORDINARY", readable.ORDINARY | {Broken})
    broken = Broken(torch.randn(10_000))
    assert fingerprints.fingerprints([torch.ones(3), broken, torch.ones(5000)])[1:2] == [None]
    assert fingerprints.fingerprint(torch.ones(3)) == fingerprints.fingerprints([broken, torch.ones(3)])[1]
    assert statistics.statistics(broken) is statistics.norm(broken) is tensors.single(broken) is None
    assert many_norms.norms_of([broken, torch.ones(4)]) == [None, 2.0]
    assert readable.why_unreadable(broken) == "cannot be read (Broken)"
