"""What a phase changed, held against numpy in float64, and what was before it."""

from __future__ import annotations

import array
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tracer.any_tensors import exactly, tensors
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects import differences, free_memory
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.effects.effects import take
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import window as subjects

NAN = math.nan


def wide(tensor: torch.Tensor) -> np.ndarray:
    """The numbers themselves, complex ones too, in double precision."""
    if tensor.is_complex():
        return tensor.to(torch.complex64 if tensor.dtype is torch.complex32 else tensor.dtype).resolve_conj().numpy()
    return exactly(tensor)


@settings(deadline=None, max_examples=200)
@given(tensors(), st.floats(0, 1), st.integers(0, 2**31))
@example(torch.tensor([1.0, NAN, NAN, math.inf, math.inf, 2.0]), 0.0, 1)
def test_a_change_agrees_with_numpy(new: torch.Tensor, share: float, seed: int) -> None:
    old = new.clone(memory_format=torch.contiguous_format)
    chosen = torch.rand(new.shape, generator=torch.Generator().manual_seed(seed)) < share
    ones = torch.ones((), dtype=new.dtype)
    same_bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}.get(new.element_size(), new.dtype)
    old.view(same_bits)[chosen] = ones.view(same_bits)  # torch fills no elements of some types
    found = differences.moved(new, old)
    with np.errstate(invalid="ignore"):
        apart = wide(new) - wide(old)
        both = (wide(new) == wide(old)) | (np.isnan(wide(new)) & np.isnan(wide(old)))
    assert found.changed == int((~both).sum())
    finite = np.abs(apart[np.isfinite(apart)]).astype(np.float64)
    if finite.size and finite.size == apart.size:
        assert found.statistics.norm == pytest.approx(np.linalg.norm(finite), rel=1e-5, abs=1e-12)
        low, high = found.statistics.min, found.statistics.max
        assert low is not None
        assert high is not None
        assert max(-low, high) == pytest.approx(finite.max(), rel=1e-6)


@settings(deadline=None, max_examples=200)
@given(tensors(), st.integers(1, 40), st.integers(0, 2**31))
@example(torch.tensor([1.0, NAN, -math.inf, math.inf, 2.0]), 7, 1)
def test_figures_and_histogram_of_a_change_agree_with_numpy(new: torch.Tensor, bins: int, seed: int) -> None:
    """Where half of the elements have been others: those a phase has moved, and those it has left."""
    old = new.clone(memory_format=torch.contiguous_format)
    flat = torch.arange(old.numel()).reshape(old.shape)
    keep = (flat * 7919 + seed) % 2 == 0
    other = torch.randn(old.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).mul_(3)
    other = other.abs().add_(1).to(old.dtype) if not old.is_complex() else other.to(torch.complex64).to(old.dtype)
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}.get(new.element_size(), new.dtype)
    old.view(bits)[~keep] = other.view(bits)[~keep]
    with np.errstate(invalid="ignore"):
        apart = wide(new) - wide(old)
        apart = np.abs(apart) if new.is_complex() else apart.astype(np.float64)
    found = differences.moved(new, old).statistics
    assert found.nan == int(np.isnan(apart).sum())
    assert found.inf == int(np.isinf(apart).sum())
    assert found.zeros == int((apart == 0).sum())
    finite = apart[np.isfinite(apart)].reshape(-1)
    size = float(np.abs(finite).max()) if finite.size else 0.0
    if finite.size and finite.size == apart.size:
        assert found.min == pytest.approx(finite.min(), rel=1e-6)
        assert found.max == pytest.approx(finite.max(), rel=1e-6)
        assert found.mean == pytest.approx(finite.mean(), rel=1e-6, abs=1e-6 * size)
        if finite.size > 1:
            assert found.std == pytest.approx(finite.std(ddof=1), rel=1e-4, abs=1e-6 * size)
    drawn = differences.histogram(new, old, bins)
    if not finite.size:
        assert drawn is None
        return
    assert drawn is not None
    assert sum(drawn.counts) == finite.size
    assert (drawn.low, drawn.high) == (pytest.approx(finite.min(), rel=1e-6), pytest.approx(finite.max(), rel=1e-6))
    if len(drawn.counts) == bins > 1:
        for place in range(1, bins):
            edge, room = finite.min() + (finite.max() - finite.min()) * (place / bins), 1e-5 * size
            assert (finite < edge - room).sum() <= sum(drawn.counts[:place]) <= (finite < edge + room).sum()


@settings(deadline=None, max_examples=100)
@given(tensors(), st.integers(0, 50), st.integers(0, 4))
def test_a_window_of_a_change_is_the_change_of_the_window(new: torch.Tensor, row: int, column: int) -> None:
    old = torch.zeros_like(new, memory_format=torch.contiguous_format)
    cut = subjects.window(new, row, 7, column, 3, old)
    plain = subjects.window(new, row, 7, column, 3)
    assert (cut.rows, cut.columns, cut.total_rows) == (plain.rows, plain.columns, plain.total_rows)
    numbers = {"d": "d", "q": "q", "?": "b"}
    left, right = (list(array.array(numbers[one.format], one.values)) for one in (cut, plain))
    assert left == pytest.approx(right, rel=1e-6, nan_ok=True)


TRAINING = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad(set_to_none=False)
    loss = model(torch.ones(4, 3)).square().sum()
    loss.backward()
    optimizer.step()
"""


def numbers_of(view: m.TensorView) -> list[float]:
    assert view.window is not None
    return list(array.array("d", view.window.values))


def test_what_a_step_changed_is_told_and_what_was_before_is_shown(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TRAINING)) as training:
        stops = 0
        before: list[float] = []
        seen = set()
        stop = training.stop()
        while stop is not None and stop.reason not in ("exit", "exception"):
            stops += 1
            done, update = stop.boundary.done, stop.boundary.update
            if done is not None and "model.weight" in {row.name for row in training.ask(m.ListObjects()).rows}:
                look = m.LookAt("model.weight", rows=2, columns=3, bins=4)
                now, old, apart = (
                    training.ask(m.LookAt("model.weight", rows=2, columns=3, bins=4, side=side))
                    for side in ("now", "before", "change")
                )
                change = now.parts[0].change
                if done == "step":
                    assert change is not None
                    assert (change.phase, change.update, change.elements) == ("step", update, 6)
                    assert (old.side, apart.side) == ("before", "change")
                    assert numbers_of(old) == before
                    exact = np.array(numbers_of(now)) - np.array(before)
                    assert numbers_of(apart) == pytest.approx(exact, rel=1e-4)
                    assert change.norm == pytest.approx(float(np.linalg.norm(exact)), rel=1e-4)
                    assert change.largest == pytest.approx(float(np.abs(exact).max()), rel=1e-4)
                    assert change.changed == 6
                    assert sum(apart.histogram.counts) == 6
                    maps = training.ask(m.LookAtMaps(("model.weight",), rows=2, columns=3, side="change"))
                    assert maps.side == "change"
                    assert maps.maps[0].here == pytest.approx(float(exact[0]), rel=1e-4)
                    labels = {part.label for part in now.parts if part.change is not None}
                    seen |= labels
                elif done == "backward" and update > 1:
                    assert change is not None  # still the last update's
                    assert (change.phase, change.update) == ("step", update - 1)
                    grad = training.ask(m.LookAt("model.weight.grad"))
                    assert next(part for part in grad.parts if part.label == "grad").change.phase == "backward"
                before = numbers_of(training.ask(look))
            stop = training.go()
        assert stops > 10
        assert {"value", "exp_avg", "exp_avg_sq"} <= seen


def test_after_an_edit_no_change_is_told_until_the_next_phase(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TRAINING), breakpoints=(m.Breakpoint(1, "step", "after", 1),), go="continue") as one:
        stop = one.stop()
        assert stop is not None
        assert one.ask(m.LookAt("model.weight")).parts[0].change is not None  # the breakpoint was foreseen
        one.ask(m.ApplyEdit(one.ask(m.PreviewEdit("model.weight", "1.5", (0, 0))).token))
        assert one.ask(m.LookAt("model.weight")).parts[0].change is None
        assert one.ask(m.LookAt("model.weight", side="before")).side == "now"


def test_what_is_too_big_to_keep_is_said() -> None:
    registry, copies = Registry(), BeforeCopies(share=0.0)
    weight = torch.zeros(1000)
    registry.alive = {"model.weight": Alive("parameter", weight)}
    before = take(registry)
    copies.before("step", registry, before)
    weight += 1
    copies.after(m.Boundary(2, 1, "step"), before, take(registry))
    change = copies.change("model.weight", weight)
    assert change is not None
    assert change.problem.startswith("too big to keep what was before: 4,000 B")
    assert copies.old("model.weight") is None


def test_what_a_phase_leaves_as_it_is_is_copied_a_few_times_only() -> None:
    registry, copies = Registry(), BeforeCopies()
    registry.alive = {name: Alive("parameter", torch.zeros(3)) for name in ("model.trained", "model.frozen")}
    for update in range(1, 7):
        before = take(registry)
        copies.before("step", registry, before)
        assert copies.copied == ({"model.trained", "model.frozen"} if update <= 4 else {"model.trained"})
        registry.alive["model.trained"].tensor.add_(1)
        copies.after(m.Boundary(update, update, "step"), before, take(registry))
        assert copies.old("model.trained").update == update
        assert copies.old("model.frozen") is None
    copies.let_go()
    assert not copies.copied


def test_free_memory_is_what_the_smallest_group_leaves(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    for name, text in {
        "memory.max": "1000000", "memory.current": "700000", "memory.stat": "anon 1\ninactive_file 200000\n",
    }.items():  # fmt: skip
        (group / name).write_text(text)
    assert free_memory._left_in(group) == 500_000
    (group / "memory.max").write_text("max")
    assert free_memory._left_in(group) is None
    assert 0 < free_memory.free_bytes(torch.device("cpu")) < 1 << 50
