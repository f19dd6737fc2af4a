"""A model of many tensors at a real stop: what is sent, what is asked for, and figures that are worked out together."""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from tracer.bare_hub import Debuggee, debuggee, write

from stepdbg.protocol import frames
from stepdbg.protocol import messages as m
from stepdbg.tracer.effects import effects
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.batched_norms import norms

SCRIPT = """
    import torch
    from torch import nn
    torch.manual_seed(0)


    class Many(nn.ModuleList):
        def forward(self, x):
            return sum(block(x).sum() for block in self)

    model = Many(nn.Linear(2, 2) for _ in range({blocks}))
    with torch.no_grad():
        model[3].bias[0] = float("nan")
        model[5].weight.mul_(100)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2))
        loss.backward()
        optimizer.step()
"""
BLOCKS = 700


def at(training: Debuggee, phase: str) -> m.Stop:
    """Step until that phase is done."""
    stop = training.stop()
    while stop is not None and stop.boundary.done != phase:
        stop = training.go()
    assert stop is not None
    return stop


@pytest.mark.parametrize("phase", ["backward", "step"])
def test_a_stop_is_small_and_its_names_are_told_window_by_window(tmp_path: Path, phase: str) -> None:
    kind: m.Kind = "grad" if phase == "backward" else "parameter"
    with debuggee(write(tmp_path, SCRIPT.format(blocks=BLOCKS))) as training:
        stop = at(training, phase)
        assert stop.effects is not None
        assert len(frames.encode(m.Stopped(stop))) < 48_000
        assert (len(stop.effects.named), stop.effects.left_out) < (m.EFFECT_NAMES + 1, 2 * BLOCKS)
        assert sum(one.count for one in stop.effects.counts if one.kind == kind) == 2 * BLOCKS
        told: list[str] = []
        while len(told) < 2 * BLOCKS:
            window = training.ask(m.ListEffects(stop.boundary.index, kind, len(told), 300))
            assert window.total == 2 * BLOCKS
            told += [one.object for one in window.effects[len(told) - window.first :]]
        end = ".grad" if kind == "grad" else ""
        assert told == [f"model.{block}.{name}{end}" for block in range(BLOCKS) for name in ("weight", "bias")]
        after = training.go()
        assert after is not None
        again = training.ask(m.ListEffects(stop.boundary.index, kind, 0, 5))
        assert [one.object for one in again.effects] == told[:5]
        assert isinstance(training.ask(m.ListEffects(9_999, kind, 0, 5)), m.Refusal)


@pytest.mark.parametrize("order", ["norm", "grad", "ratio"])
def test_many_rows_are_sorted_by_the_figures_that_each_shows(tmp_path: Path, order: m.Order) -> None:
    with debuggee(write(tmp_path, SCRIPT.format(blocks=BLOCKS))) as training:
        at(training, "step")
        found = training.ask(m.ListObjects(order=order))
        names = tuple(row.name for row in found.rows)
        assert len(names) > 2 * BLOCKS
        rows = {row.object: row for row in training.ask(m.Summarise(names)).rows}
        figures = [{"norm": row.norm, "grad": row.grad_norm, "ratio": row.update_ratio}[order] for row in
                   (rows[name] for name in names)]  # fmt: skip
        known = [figure for figure in figures if figure is not None]
        assert figures[: len(known)] == known, "what has no figure comes last"
        finite = [figure for figure in known if math.isfinite(figure)]
        assert known[len(known) - len(finite) :] == finite, "what is not finite comes first"
        assert all(here >= there * (1 - 1e-6) for here, there in itertools.pairwise(finite))
        if order == "norm":
            assert (names[0], "model.5.weight" in names[1:3]) == ("model.3.bias", True)
        nan = [row.name for row in training.ask(m.ListObjects("nan")).rows if row.node == "parameter"]
        assert nan == ["model.3.bias"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from((1.0, 1e-30, 1e30, 0.0))), min_size=1, max_size=30),
    st.sampled_from((torch.float32, torch.float16, torch.bfloat16)),
    st.integers(0, 2**31),
)
def test_norms_that_are_worked_out_together_agree_with_numpy(
    sizes: list[tuple[int, float]], dtype: torch.dtype, seed: int
) -> None:
    draws = torch.Generator().manual_seed(seed)
    new = [(torch.randn(size, generator=draws) * scale).to(dtype) for size, scale in sizes]
    old = [(torch.randn(size, generator=draws) * scale).to(dtype) for size, scale in sizes]

    def held(tensors: list[torch.Tensor]) -> list[bytes]:
        return [tensor.view(torch.uint8).numpy().tobytes() for tensor in tensors]

    exact = [tensor.to(torch.float64).numpy() for tensor in new], [tensor.to(torch.float64).numpy() for tensor in old]
    assert norms(dtype, held(new)) == pytest.approx([np.linalg.norm(each) for each in exact[0]], rel=1e-9, nan_ok=True)
    with np.errstate(invalid="ignore"):
        apart = [np.linalg.norm(a - b) for a, b in zip(*exact, strict=True)]
    assert norms(dtype, held(new), held(old)) == pytest.approx(apart, rel=1e-9, nan_ok=True)


def test_the_ratio_of_the_last_step_is_known_when_the_next_begins_and_is_not_worked_out_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    registry, copies = Registry(), BeforeCopies()
    registry.note_model(model)
    registry.note_optimizer(optimizer)
    worked_out: list[str] = []
    real = BeforeCopies.ratio
    monkeypatch.setattr(
        BeforeCopies, "ratio", lambda self, name, *rest: worked_out.append(name) or real(self, name, *rest)
    )
    before = None
    with torch.no_grad():
        for update in range(3):
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
            registry.refresh([sys._getframe()])
            before = effects.take(registry)
            copies.after(m.Boundary(3 * update, update, "backward", "step"), None, before)
            copies.before("step", registry, before)
            old = {name: entry.tensor.clone() for name, entry in registry.alive.items() if entry.tensor is not None}
            optimizer.step()
            registry.refresh([sys._getframe()])
            after = effects.take(registry)
            copies.after(m.Boundary(3 * update + 1, update, "step", "zero_grad"), before, after)
        copies.after(m.Boundary(10, 3, "zero_grad", "step"), None, after)
        assert worked_out == []
        copies.before("step", registry, after)
        parameters = [name for name, entry in registry.alive.items() if entry.kind == "parameter"]
        expected = {name: float(0.1 * math.sqrt(old[name].numel()) / old[name].norm()) for name in parameters}
        tensors = {name: registry.alive[name].tensor for name in parameters}
        single = parameters[0]
        assert copies.ratio(single, tensors[single]) == pytest.approx(expected[single], rel=1e-4)
        copies.ratios((name, tensors[name], after[name].print) for name in parameters)
        found = {name: copies.ratio(name, tensors[name]) for name in parameters}
        assert found == pytest.approx(expected, rel=1e-4)


def test_a_look_sets_off_no_collection_of_garbage_and_leaves_it_as_it_was() -> None:
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            with contextlib.suppress(ZeroDivisionError), uncollected():
                inside = gc.isenabled()
                raise ZeroDivisionError
            assert (inside, gc.isenabled()) == (False, enabled)
        finally:
            gc.enable()


def test_code_of_the_console_runs_with_collections_as_ever(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, SCRIPT.format(blocks=7))) as training:
        at(training, "zero_grad")
        assert training.ask(m.Evaluate(0, "__import__('gc').isenabled()")).value == "True"
