"""What a step would do, taken apart: the parts against numpy, their sum against what torch's optimizer then does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects.effects import take
from stepdbg.tracer.foresight import moves, predictions
from stepdbg.tracer.foresight.foresight import UpdatePreview
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.handler import AtStop
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.unwrap import key_of


class Stand:
    """A model and an optimizer at a stop, with no training around them."""

    def __init__(self, parameter: torch.nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        self.model = torch.nn.Module()
        self.model.w = parameter
        self.parameter, self.optimizer = parameter, optimizer
        self.registry, self.gradient_scaling = Registry(), GradientScaling()
        self.registry.note_model(self.model)
        self.named = self.registry.note_optimizer(optimizer)
        self.foreseer = UpdatePreview(self.registry, self.gradient_scaling)

    def foreseen(self, element: tuple[int, ...] | None = None, following: str = "step") -> Any:
        """The answer at a stop before that phase."""
        with torch.no_grad():
            self.registry.refresh([])
            self.foreseer.open(AtStop(m.Boundary(1, 1, next=following), snapshot=take(self.registry)))
            found = self.foreseer.answer(m.Foresee("Module.w", element))
            self.foreseer.close()
        return found

    def step(self) -> None:
        self.optimizer.step()
        self.named.steps += 1


SGD = st.fixed_dictionaries({
    "lr": st.sampled_from([0.0, 1e-3, 0.5]), "momentum": st.sampled_from([0.0, 0.9]),
    "dampening": st.sampled_from([0.0, 0.3]), "weight_decay": st.sampled_from([0.0, 0.1]),
    "nesterov": st.booleans(), "maximize": st.booleans(), "how": st.sampled_from(["plain", "foreach", "fused"]),
})  # fmt: skip
ADAM = st.fixed_dictionaries({
    "lr": st.sampled_from([1e-3, 0.1]), "betas": st.sampled_from([(0.9, 0.999), (0.5, 0.8), (0.0, 0.0)]),
    "eps": st.sampled_from([1e-8, 1e-2]), "weight_decay": st.sampled_from([0.0, 0.1]), "amsgrad": st.booleans(),
    "maximize": st.booleans(), "how": st.sampled_from(["plain", "foreach", "fused", "tensor lr"]),
})  # fmt: skip
RMSPROP = st.fixed_dictionaries({
    "lr": st.sampled_from([1e-3, 0.1]), "alpha": st.sampled_from([0.99, 0.5]), "eps": st.sampled_from([1e-8, 1e-2]),
    "weight_decay": st.sampled_from([0.0, 0.1]), "momentum": st.sampled_from([0.0, 0.9]), "centered": st.booleans(),
    "maximize": st.booleans(), "how": st.sampled_from(["plain", "foreach"]),
})  # fmt: skip
KINDS = {"SGD": SGD, "Adam": ADAM, "AdamW": ADAM, "RMSprop": RMSPROP}
SHAPES = [(), (1,), (7,), (3, 5), (2, 0, 3), (2, 1, 3, 1, 2, 1, 2)]


def made(kind: str, options: dict[str, Any], parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
    """The optimizer with those options; what torch itself refuses is left out."""
    options = dict(options)
    how = options.pop("how", "plain")
    if kind == "SGD" and options["nesterov"]:
        options |= {"momentum": options["momentum"] or 0.8, "dampening": 0.0}
    if how == "tensor lr":
        options |= {"lr": torch.tensor(options["lr"]), "foreach": False}
    elif how != "plain":
        options |= {how: True}
    else:
        options |= {"foreach": False}
    return getattr(torch.optim, kind)([parameter], **options)


def by_numpy(kind: str, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    """The parts of the move in float64, written from torch's documentation."""
    lr, decay = float(group["lr"]), group["weight_decay"]
    g = -g if group["maximize"] else g
    decoupled = kind == "AdamW"
    slope = g if decoupled or not decay else g + decay * w
    if kind == "SGD":
        mu, tau, b = group["momentum"], group["dampening"], state.get("momentum_buffer")
        if not mu or b is None:
            new, old = 1.0, 0.0
        else:
            new, old = 1 - tau, mu
        if group["nesterov"] and mu:
            new, old = 1 + mu * new, mu * old
        rate: Any = -lr * new
        momentum = -lr * old * b if b is not None and mu else 0 * w
    elif kind in ("Adam", "AdamW"):
        (b1, b2), eps, t = group["betas"], group["eps"], float(state.get("step", 0)) + 1
        mean, square = state.get("exp_avg", 0 * w), state.get("exp_avg_sq", 0 * w)
        square = b2 * square + (1 - b2) * slope**2
        if group["amsgrad"]:
            square = np.maximum(square, state.get("max_exp_avg_sq", square))
        divisor = np.sqrt(square / (1 - b2**t)) + eps
        rate = -lr * (1 - b1) / (1 - b1**t) / divisor
        momentum = -lr * b1 * mean / (1 - b1**t) / divisor
    else:
        alpha, b, mu = group["alpha"], state.get("momentum_buffer"), group["momentum"]
        square = alpha * state.get("square_avg", 0 * w) + (1 - alpha) * slope**2
        if group["centered"]:
            square = square - (alpha * state.get("grad_avg", 0 * w) + (1 - alpha) * slope) ** 2
        rate = -lr / (np.sqrt(square) + group["eps"])
        momentum = -lr * mu * b if b is not None and mu else 0 * w
    parts = {"gradient": rate * g, "momentum": momentum}
    return parts | {"decay": (-lr if decoupled else rate) * decay * w} if decay else parts


def as_numpy(state: dict[str, Any]) -> dict[str, Any]:
    """The state in double precision."""
    return {k: as_pairs(v) if isinstance(v, torch.Tensor) else v for k, v in state.items()}


@st.composite
def cases(draw: Any) -> tuple[str, dict[str, Any], tuple[int, ...], int, int]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    return kind, draw(KINDS[kind]), draw(st.sampled_from(SHAPES)), draw(st.integers(0, 3)), draw(st.integers(0, 99))


def as_pairs(tensor: torch.Tensor) -> Any:
    """In double precision; complex numbers as pairs of real ones, which is how torch's optimizers move them."""
    tensor = tensor.detach()
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).to(torch.float64, copy=True).numpy()


DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64)


@settings(max_examples=250, deadline=None)
@given(cases(), st.sampled_from(["straight", "transposed", "with gaps"]), st.sampled_from(DTYPES))
def test_the_parts_are_those_of_numpy_and_their_sum_is_what_the_optimizer_does(
    case: Any, layout: str, dtype: torch.dtype
) -> None:
    kind, options, shape, steps, seed = case
    if dtype is not torch.float32 or (layout == "with gaps" and options.get("how") == "fused"):
        # what torch offers for all of them; and torch 2.13's fused kernels take a tensor with gaps for one without
        options = {**options, "how": "plain"}
    if dtype is torch.float16 and "eps" in options:
        options = {**options, "eps": 1e-2}  # 1e-8 is 0 there: see the test of a division by it
    torch.manual_seed(seed)
    value = torch.randn(shape, dtype=torch.complex64 if dtype.is_complex else torch.float32).to(dtype)
    if layout == "transposed":
        value = value.permute(tuple(range(len(shape))[::-1])).contiguous().permute(tuple(range(len(shape))[::-1]))
    elif layout == "with gaps" and shape:
        value = torch.stack([value, value], -1).select(-1, 0)
    parameter = torch.nn.Parameter(value)
    stand = Stand(parameter, made(kind, options, parameter))
    for _ in range(steps):
        parameter.grad = torch.randn_like(parameter)
        stand.step()
    parameter.grad = torch.randn_like(parameter)
    group = stand.optimizer.param_groups[0]
    w, g = as_pairs(parameter), as_pairs(parameter.grad)
    parts = by_numpy(kind, w, g, as_numpy(stand.optimizer.state.get(parameter, {})), group)
    total = sum(parts.values())

    found = stand.foreseen()
    assert isinstance(found, m.Foresight), found
    told = {move.source: move for move in (*found.moves, found.total)}
    for source, part in (*parts.items(), ("total", total)):
        norm = float(np.linalg.norm(part))
        if source not in told:
            assert norm == 0
            continue
        assert told[source].norm == pytest.approx(norm, rel=1e-5, abs=1e-30)
        along = float((part * total).sum())
        if (whole := float((total * total).sum())) > 0:
            assert told[source].share == pytest.approx(along / whole, rel=1e-4, abs=1e-5)
    if total.size and not dtype.is_complex:
        place = tuple(size - 1 for size in shape)
        element = stand.foreseen(place)
        assert element.value == pytest.approx(float(w[place]))
        assert element.total.here == pytest.approx(float(total[place]), rel=1e-4, abs=1e-9)
        for move in element.moves:
            assert move.here == pytest.approx(float(parts[move.source][place]), rel=1e-4, abs=1e-9)

    stand.step()
    coarse = {torch.bfloat16: 0.03, torch.float16: 0.01}.get(dtype, 2e-4)  # there each operation on the way rounds
    if dtype not in (torch.bfloat16, torch.float16) or kind != "RMSprop":
        assert np.allclose(
            as_pairs(parameter), w + total, rtol=coarse, atol=max(1e-6, coarse * np.abs(total).max(initial=0))
        )
    kept = stand.foreseen(following="zero_grad").kept
    assert kept is not None
    assert kept.compared == w.size
    assert kept.as_foretold or coarse > 1e-3, kept


def test_a_step_of_float16_that_divides_by_an_eps_of_zero_is_told_as_not_what_was_foretold() -> None:
    parameter = torch.nn.Parameter(torch.ones(3, dtype=torch.float16))
    stand = Stand(parameter, torch.optim.Adam([parameter], foreach=False))
    parameter.grad = torch.tensor([1.0, 1e-5, -1.0], dtype=torch.float16)  # the middle one's square is 0 there
    found = stand.foreseen()
    assert math.isfinite(found.total.norm)
    stand.step()
    assert not parameter[1].isfinite()
    kept = stand.foreseen(following="zero_grad").kept
    assert kept is not None
    assert not kept.as_foretold


def test_looking_writes_to_nothing_and_draws_no_random_number() -> None:
    parameter = torch.nn.Parameter(torch.randn(40, 3))
    for make in (torch.optim.Adam, torch.optim.Adagrad, torch.optim.RMSprop):
        stand = Stand(parameter, make([parameter], lr=0.1))
        for fresh in (True, False):
            parameter.grad = torch.randn(40, 3)
            random = torch.get_rng_state()
            held = [parameter, parameter.grad, *stand.optimizer.state.get(parameter, {}).values()]
            before = [(one.detach().clone(), one._version) for one in held]
            for element in (None, (3, 1)):
                assert stand.foreseen(element).total is not None
            keys = stand.optimizer.state.get(parameter, {}).keys()
            assert (not keys) == (fresh and make is not torch.optim.Adagrad)
            after = [(one.detach(), one._version) for one in held]
            assert all(torch.equal(a, b) and v == w for (a, v), (b, w) in zip(before, after, strict=True))
            assert torch.equal(torch.get_rng_state(), random)
            stand.step()
        parameter.grad = None


OTHERS = ("Adadelta", "Adagrad", "Adamax", "ASGD", "NAdam", "RAdam", "Rprop", "Adafactor", "Muon")


@pytest.mark.parametrize("name", OTHERS)
def test_of_torchs_other_optimizers_the_total_is_foretold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(torch.optim, name):
        pytest.skip(f"this torch has no {name}")
    monkeypatch.setattr(moves, "PIECE", 8)
    torch.manual_seed(1)
    parameter = torch.nn.Parameter(torch.randn(6, 5))
    stand = Stand(parameter, getattr(torch.optim, name)([parameter], lr=0.05))
    for _ in range(3):
        parameter.grad = torch.randn(6, 5)
        before = parameter.detach().clone()
        found = stand.foreseen()
        assert found.moves == ()
        stand.step()
        assert found.total.norm == pytest.approx(float((parameter.detach() - before).norm()), rel=1e-3)
        assert stand.foreseen(following="data").kept.as_foretold


def test_a_step_that_is_not_torchs_own_is_not_foretold() -> None:
    class Mine(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            raise AssertionError("it must not be run")

    parameter = torch.nn.Parameter(torch.randn(3))
    stand = Stand(parameter, Mine([parameter], lr=0.1))
    parameter.grad = torch.ones(3)
    found = stand.foreseen()
    assert found.total is None
    assert "Mine is not torch's own" in found.why_not
    lbfgs = Stand(parameter, torch.optim.LBFGS([parameter]))
    assert "closure" in lbfgs.foreseen().why_not


def test_a_parameter_without_gradient_or_without_optimizer_is_told_of_as_such() -> None:
    parameter = torch.nn.Parameter(torch.randn(3))
    stand = Stand(parameter, torch.optim.AdamW([parameter]))
    assert "passes it over" in stand.foreseen().why_not
    stand.model.other = torch.nn.Parameter(torch.ones(2))
    stand.registry.refresh([])
    refusal = stand.foreseer.answer(m.Foresee("Module.other"))
    assert isinstance(refusal, m.Refusal)
    assert "in no optimizer" in refusal.problem


def test_a_gradient_that_a_scaler_has_scaled_is_taken_without_the_scale() -> None:
    parameter = torch.nn.Parameter(torch.randn(4))
    stand = Stand(parameter, torch.optim.SGD([parameter], lr=0.5))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    (scaler.scale((parameter * 3).sum())).backward()
    stand.gradient_scaling.scaled(scaler)
    found = stand.foreseen()
    assert found.scale == 1024
    assert found.total.norm == pytest.approx(0.5 * 3 * 2)
    stand.gradient_scaling.unscaled(key_of(stand.optimizer))
    assert stand.foreseen().scale is None


def test_the_difference_that_clipping_makes_is_told_by_itself() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    stand = Stand(parameter, torch.optim.SGD([parameter], lr=0.5))
    parameter.grad = torch.tensor([6.0, 0.0, 8.0])
    stand.registry.refresh([])
    stand.gradient_scaling.before_clip(stand.registry)
    total = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    stand.gradient_scaling.clipped("clip_grad_norm_", 1.0, total)
    for stood_there in (True, False):
        if not stood_there:
            stand.gradient_scaling._before.clear()
        found = stand.foreseen((2,))
        assert found.clipping.factor == pytest.approx(0.1, rel=1e-4)
        assert found.clipping.total == pytest.approx(10)
        gradient, clipping = found.moves
        assert (gradient.source, clipping.source) == ("gradient", "clipping")
        assert (gradient.norm, clipping.norm) == (pytest.approx(0.5, rel=1e-4), pytest.approx(4.5, rel=1e-4))
        assert found.clipping.without == pytest.approx(5, rel=1e-4)
        assert clipping.cosine == pytest.approx(-1)
        assert gradient.here - clipping.here == pytest.approx(-4, rel=1e-4)
    parameter.grad = torch.tensor([6.0, 0.1, -8.0])
    stand.gradient_scaling.clipped("clip_grad_value_", 2.0, None)
    stand.registry.refresh([])
    stand.gradient_scaling.before_clip(stand.registry)
    torch.nn.utils.clip_grad_value_([parameter], 2.0)
    gradient, clipping = stand.foreseen((1,)).moves
    assert clipping.here == 0
    assert gradient.here == pytest.approx(-0.05)
    assert gradient.norm == pytest.approx(math.hypot(1, 0.05, 1), rel=1e-4)


def test_a_step_that_did_something_else_is_told_of() -> None:
    parameter = torch.nn.Parameter(torch.randn(5))
    stand = Stand(parameter, torch.optim.SGD([parameter], lr=0.1))
    parameter.grad = torch.ones(5)
    stand.foreseen()
    parameter.grad = torch.full((5,), 2.0)
    stand.step()
    kept = stand.foreseen(following="zero_grad").kept
    assert not kept.as_foretold
    assert kept.deviation == pytest.approx(0.1, rel=1e-3)
    assert "written anew" in kept.remark


def test_a_large_tensor_is_computed_in_pieces_and_checked_by_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "PIECE", 100)
    monkeypatch.setattr(predictions, "SAMPLES", 1000)
    parameter = torch.nn.Parameter(torch.randn(50, 120))
    stand = Stand(parameter, torch.optim.AdamW([parameter], weight_decay=0.1))
    parameter.grad = torch.randn(50, 120)
    norm = stand.foreseen().total.norm
    before = parameter.detach().clone()
    stand.step()
    assert norm == pytest.approx(float((parameter.detach() - before).norm()), rel=1e-4)
    kept = stand.foreseen(following="zero_grad").kept
    assert kept.as_foretold
    assert 500 <= kept.compared <= 1100


def test_half_precision_and_complex_parameters_are_foretold() -> None:
    for dtype in (torch.bfloat16, torch.float64, torch.complex64):
        parameter = torch.nn.Parameter(torch.randn(6).to(dtype))
        stand = Stand(parameter, torch.optim.Adam([parameter], lr=0.01, weight_decay=0.1, foreach=False))
        for _ in range(3):
            parameter.grad = torch.randn(6).to(dtype)
            found = stand.foreseen()
            assert math.isfinite(found.total.norm)
            stand.step()
            assert stand.foreseen(following="data").kept.as_foretold, dtype


def test_the_answer_travels() -> None:
    parameter = torch.nn.Parameter(torch.randn(5))
    stand = Stand(parameter, torch.optim.SGD([parameter], lr=0.1, momentum=0.9))
    parameter.grad = torch.ones(5)
    found = stand.foreseen((0,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=m.AnyResult) == found


def test_whatever_the_size_no_more_than_sixteen_megabytes_are_needed() -> None:
    if not CLEAR.exists():
        pytest.skip("only Linux tells the most memory that was used since a moment")
    parameter = torch.nn.Parameter(torch.randn(4000, 1000))
    stand = Stand(parameter, torch.optim.AdamW([parameter], weight_decay=0.1))
    for _ in range(2):
        parameter.grad = torch.randn(4000, 1000)
        stand.step()
    stand.registry.refresh([])
    with torch.no_grad():
        stand.foreseer.open(AtStop(m.Boundary(1, 1, next="step")))
        CLEAR.write_text("5")
        before = most_memory()
        assert stand.foreseer.answer(m.Foresee("Module.w")).total is not None
        assert most_memory() - before <= 16_000_000


CLEAR = Path("/proc/self/clear_refs")


def most_memory() -> int:
    """The most bytes that this process has had in memory since it was last cleared."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def test_of_a_parameter_in_several_optimizers_each_step_is_foretold_by_name_and_none_blamed_for_anothers() -> None:
    parameter = torch.nn.Parameter(torch.randn(6))
    stand = Stand(parameter, torch.optim.SGD([parameter], lr=0.5, momentum=0.9))
    second = torch.optim.AdamW([{"params": []}, {"params": [parameter]}], lr=0.01)
    named = stand.registry.note_optimizer(second)
    for _ in range(3):
        parameter.grad = torch.randn(6)
        found = stand.foreseen((2,))
        assert [(one.optimizer, one.cls, one.group) for one in (found, *found.further)] == [
            ("SGD", "SGD", 0), ("AdamW", "AdamW", 1),
        ]  # fmt: skip
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=m.AnyResult) == found
        before = parameter.detach().clone()
        stand.step()
        moved = float(parameter.detach()[2] - before[2])
        assert found.total.here == pytest.approx(moved, rel=1e-4)
        after = stand.foreseen((2,))
        assert after.kept.as_foretold
        assert after.further[0].kept is None, "what the first has moved was not foretold of the second"
        before = parameter.detach().clone()
        second.step()
        named.steps += 1
        assert after.further[0].total.here == pytest.approx(float(parameter.detach()[2] - before[2]), rel=1e-3)
        last = stand.foreseen(following="zero_grad")
        assert last.further[0].kept.as_foretold
