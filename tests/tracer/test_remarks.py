"""What is not finite, why nothing moved, what looks like a mistake: told at the stop; nothing where all is well."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects.nonfinite import holding
from stepdbg.tui.words.sentence import sentence

NAN, INF = float("nan"), float("inf")
TRAINING = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
other = nn.Linear(2, 1)
optimizer = torch.optim.Rprop(model.parameters())
sgd = {"momentum": 0.9, "foreach": False}

def train(updates=1, make=lambda y: y.square().mean()):
    for _ in range(updates):
        optimizer.zero_grad()
        loss = make(model(torch.ones(5, 3)))
        loss.backward()
        optimizer.step()
"""
BAD = "torch.full((5, 2), float('inf'))"
WELL = {
    "train(2)",
    "model.requires_grad_(False)[2].requires_grad_(True); train(2)",
    "model.register_parameter('alpha', nn.Parameter(torch.ones(())))\n"
    "class Dual(torch.optim.SGD):\n"
    "    def step(self):\n"
    "        super().step(); alpha = self.param_groups[0]['alpha']; alpha.data += 0.1 * alpha.grad; alpha.grad = None\n"
    "optimizer = Dual([{'params': [*model[2].parameters(), *model[0].parameters()], 'alpha': model.alpha}], 0.1)\n"
    "train(2, lambda y: y.square().mean() * model.alpha)",
}
STORIES: dict[str, tuple[str, str]] = {
    "train(make=lambda y: torch.where(y > 9, (y - y).sqrt(), y).sum())": (
        "backward",
        "wrote the .grad of 4 parameters, 4 of them NaN",
    ),
    f"train(make=lambda y: (y * {BAD}).sum())": ("backward", "4 parameters, 2 of them NaN and 2 of them infinite"),
    "model[2].bias.data[0] = float('inf'); train()": ("forward", "output came out, which is infinite"),
    "train(make=lambda y: y.mean() * float('nan'))": ("loss", "= nan from the output"),
    "optimizer = torch.optim.Adam(model.parameters()); train(make=lambda y: y.mean() * float('nan'))": (
        "step",
        "changed 4 parameters, 4 of them NaN, and created 12 entries of optimizer state",
    ),
    "optimizer = torch.optim.SGD(model.parameters(), 0.0, weight_decay=0.1, **sgd); train()": (
        "step",
        "step wrote 4 parameters, the same values: lr is 0",
    ),
    "optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True); train()": (
        "step",
        "step changed no parameter: lr is 0; it created 12 entries of optimizer state",
    ),
    "train(make=lambda y: (y * 0).sum())": ("step", "the same values: every gradient is 0"),
    "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
    "def now(p): torch.optim.SGD([p], 0.1).step(); p.grad = None\n"
    "[p.register_post_accumulate_grad_hook(now) for p in model.parameters()]; train()": (
        "backward",
        "wrote the .grad of 4 parameters; they were freed again before it ended",
    ),
    "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
    "def now(p): torch.optim.SGD([p], 0.1).step(); p.grad = None\n"
    "model[0].weight.register_post_accumulate_grad_hook(now); train()": (
        "backward",
        "wrote the .grad of 4 parameters; 1 of them was freed again before it ended",
    ),
    "model(torch.ones(1, 3)).sum(); nn.utils.clip_grad_norm_(model.parameters(), 1.0)": (
        "clip",
        "clip found nothing to change: no parameter has a gradient",
    ),
    "optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=True); train(2, lambda y: y.mean() * float('nan'))": (
        "step",
        "step changed no parameter: every element is NaN, and stays so",
    ),
    "train(make=lambda y: y.argmax().float().requires_grad_())": (
        "backward",
        "backward wrote no gradient: the loss has no graph (no operation made it), so it reaches no parameter",
    ),
    "optimizer.zero_grad(); optimizer.step()": ("step", "step changed no parameter: no parameter has a gradient"),
    "train(make=lambda y: other(y.detach()).sum())": (
        "step",
        "step changed no parameter: no parameter of the optimizer has a gradient; "
        "other.weight and 1 more have one and are in no optimizer",
    ),
    "optimizer = torch.optim.SGD(other.parameters(), 0.1); train(2)": (
        "zero_grad",
        "zero_grad found no gradients to clear; 4 parameters have gradients that it does not reach",
    ),
    "beside = torch.optim.SGD(other.parameters(), 0.1); train(make=lambda y: other(y.detach()).sum()); beside.step()\n"
    "optimizer.step()": ("step", "changed no parameter: no parameter of the optimizer has a gradient"),
    "other(torch.ones(1, 2)).sum().backward(); train(make=lambda y: (y * 0).sum())": (
        "step",
        "the same values: every gradient of the optimizer's parameters is 0",
    ),
    "model.requires_grad_(False)[2].requires_grad_(True); optimizer.param_groups[0]['lr'] = 1.0; train()": (
        "step",
        "changed model.2.weight and model.2.bias",
    ),
    "model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)); train()": (
        "forward",
        "it changed 3 buffers (running statistics of norm layers), no parameter",
    ),
    "model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)); model.register_buffer('calls', torch.zeros(()))\n"
    "model.register_forward_hook(lambda m, i, o: m.calls.add_(1)); train()": (
        "forward",
        "it changed 4 buffers (running statistics of norm layers among them), no parameter",
    ),
    "model.register_buffer('running_total', torch.zeros(()))\n"
    "model.register_forward_hook(lambda m, i, o: m.running_total.add_(1)); train()": (
        "forward",
        "it changed 1 buffer, no parameter",
    ),
    "model[0].requires_grad_(False); torch.manual_seed(1); spare = nn.Parameter(torch.ones(2))\n"
    "optimizer = torch.optim.LBFGS([*model.parameters(), spare], max_iter=1)\n"
    "def closure():\n"
    "    optimizer.zero_grad(); loss = model(torch.ones(5, 3)).square().mean(); loss.backward(); return loss\n"
    "optimizer.step(closure)": (
        "step",
        "wrote the same values into 3 others (2 frozen, 1 without gradient)",
    ),
}
SUSPICIONS: dict[str, tuple[str, str]] = {
    "optimizer = torch.optim.SGD(model.parameters(), 0.1, **sgd)\n"
    "train(make=lambda y: torch.where(y > 9, (y - y).sqrt(), y).sum())": ("step", "all 4 parameters are NaN"),
    "train(make=lambda y: y.argmax().float().requires_grad_())": (
        "loss",
        "the loss has no graph: it reaches no parameter",
    ),
}


AMP = """
scaler = torch.amp.GradScaler("cpu")
optimizer = torch.optim.SGD(model.parameters(), 0.1, foreach=False)
def train(unscale, clip):
    optimizer.zero_grad()
    loss = model(torch.ones(5, 3)).square().mean()
    scaler.scale(loss).backward()
    if unscale:
        scaler.unscale_(optimizer)
    clip(model.parameters(), 1e-3)
    scaler.step(optimizer)
    scaler.update()
"""
FROZEN = "frozen, but the optimizer still moves it, because its .grad is not None"
FORESEEN: dict[str, tuple[str, ...]] = {
    "optimizer = torch.optim.SGD(model.parameters(), 0.0, **sgd); train()": ("lr is 0",),
    "optimizer = torch.optim.SGD(model.parameters(), 0.1); train(make=lambda y: (y * 0).sum())": ("the gradient is 0",),
    "optimizer = torch.optim.SGD(model.parameters(), 0.1, **sgd)\n"
    "train(); model[0].requires_grad_(False)\n"
    "[p.grad.zero_() for p in model.parameters()]; optimizer.zero_grad = lambda: None; train()": (
        FROZEN,
        "the gradient is 0: what moves it is left from before",
    ),
}


def stops_of(tmp_path: Path, story: str) -> list[m.Stop]:
    with debuggee(write(tmp_path, f"{TRAINING}\n{story}\n")) as training:
        stops = list(training.stops())
        assert not [notice for notice in training.notices if "let go" in notice]
    return stops


@pytest.mark.parametrize("story", STORIES)
def test_the_sentence_says_what_is_not_finite_and_why_nothing_moved(tmp_path: Path, story: str) -> None:
    phase, words = STORIES[story]
    told = [sentence(stop, "model") for stop in stops_of(tmp_path, story) if stop.boundary.done == phase]
    assert words in told[-1]


@pytest.mark.parametrize("story", SUSPICIONS)
def test_a_suspicion_is_one_line_at_the_stop_where_it_shows(tmp_path: Path, story: str) -> None:
    phase, words = SUSPICIONS[story]
    stops = stops_of(tmp_path, story)
    assert [stop.suspicion for stop in stops if stop.boundary.done == phase][-1] == words
    assert stops[0].suspicion == ""


@pytest.mark.parametrize("story", sorted(WELL))
def test_where_all_is_well_nothing_is_suspected(tmp_path: Path, story: str) -> None:
    stops = stops_of(tmp_path, story)
    assert {stop.suspicion for stop in stops} == {""}
    assert not [one for stop in stops if stop.effects for one in stop.effects.counts if one.nan or one.infinite]


@pytest.mark.parametrize("story", FORESEEN)
def test_foresight_says_why_little_or_nothing_moves(tmp_path: Path, story: str) -> None:
    with debuggee(write(tmp_path, f"{TRAINING}\n{story}\n")) as training:
        told = [
            training.ask(m.Foresee("model.0.weight")).remarks
            for stop in training.stops()
            if stop.boundary.next == "step" or stop.boundary.done == "step"
        ]
    assert told[-2:] == [FORESEEN[story]] * 2, "before the step as after it"


@pytest.mark.parametrize("clip", ["clip_grad_norm_", "clip_grad_value_"])
@pytest.mark.parametrize("unscale", [True, False])
def test_what_a_clip_has_cut_is_known_before_and_after_a_scalers_step(tmp_path: Path, unscale: bool, clip: str) -> None:
    calls = f"train({unscale}, nn.utils.{clip})\n" * 2
    with debuggee(write(tmp_path, f"{TRAINING}\n{AMP}\n{calls}")) as training:
        told = [
            training.ask(m.Foresee("model.0.weight"))
            for stop in training.stops()
            if stop.boundary.update == 2 and stop.boundary.done in ("clip", "step")
        ]
    before, after = told
    assert (before.scale, after.scale) == ((None, None) if unscale else (65536.0, None))
    assert after.clipping.factor == pytest.approx(before.clipping.factor, rel=1e-3)
    assert after.clipping.without == pytest.approx(before.clipping.without, rel=1e-3)
    assert after.total.norm == pytest.approx(before.total.norm, rel=1e-3)
    assert bool(before.remarks) == bool(after.remarks) == (not unscale)
    assert unscale or "65536: scaler.unscale_ belongs before it" in after.remarks[0]


def test_modes_are_told_where_a_model_under_training_is_not_in_training_mode(tmp_path: Path) -> None:
    stops = stops_of(
        tmp_path, "train(); model.eval(); train(); model.train()[1].eval(); train(); model.train(); train()"
    )
    modes = {stop.boundary.update: stop.modes for stop in stops if stop.boundary.done == "forward"}
    assert modes == {1: (), 2: (("model", "eval"),), 3: (("model", "mixed"),), 4: ()}
    outermost = {stop.boundary.update: stop.evaluating for stop in stops if stop.boundary.done == "forward"}
    assert outermost == {1: (), 2: ("model",), 3: ("model.1",), 4: ()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64])
@pytest.mark.parametrize("size", [1, 100, 50_000])
def test_each_tensor_is_told_by_what_it_holds(dtype: torch.dtype, size: int) -> None:
    largest = torch.finfo(dtype).max
    tensors = {
        "fine": torch.full((size,), largest, dtype=dtype),
        "nan": torch.ones(size, dtype=dtype),
        "inf": torch.ones(size, dtype=dtype),
        "both": torch.ones(2 * size, dtype=dtype),
        "turned": torch.ones(2, size, dtype=dtype).t(),
        "none": torch.ones(0, dtype=dtype),
    }
    tensors["nan"][size // 2] = NAN
    tensors["inf"][-1] = -INF
    tensors["both"][0], tensors["both"][-1] = INF, NAN
    tensors["turned"][size // 2, 1] = NAN
    assert holding(tensors.items()) == {"nan": "nan", "inf": "inf", "both": "nan", "turned": "nan"}
    assert math.isfinite(largest)


def test_what_has_no_numbers_is_passed_over() -> None:
    there = torch.sparse_coo_tensor(torch.tensor([[1]]), torch.tensor([NAN]), (3,), check_invariants=True)
    tensors = {"meta": torch.ones(3, device="meta"), "sparse": there, "fp8": torch.ones(3).to(torch.float8_e4m3fn)}
    assert holding(tensors.items()) == {"sparse": "nan"}


HIDDEN = """
import torch
class Store:
    held = {}
    optimizers = {}
def get(name, value):
    if name not in Store.held: Store.held[name] = torch.tensor(value, requires_grad=True)
    return Store.held[name]
def move_by_hand():
    with torch.no_grad():
        for tensor in Store.held.values(): tensor -= 0.1 * tensor.grad
def move():
    for name, tensor in Store.held.items():
        if name not in Store.optimizers: Store.optimizers[name] = torch.optim.Adam([tensor])
        Store.optimizers[name].step()
def step(move):
    loss = (get("a", 1.0) * 3 - get("b", 2.0)).pow(2)
    loss.backward()
    move()
"""


@pytest.mark.parametrize("move", ["move", "move_by_hand"])
def test_what_nobody_could_see_written_is_not_said_to_be_as_it_was(move: str, tmp_path: Path) -> None:
    with debuggee(write(tmp_path, f"{HIDDEN}step({move})\n")) as training:
        first = {stop.boundary.done: sentence(stop) for stop in reversed([*training.stops()])}
    assert (
        first["backward"] == "backward wrote gradients: no model, optimizer or variable in sight holds what it wrote to"
    )
    assert "changed no parameter" not in first["step"]
    assert "may have changed parameters" in first["step"]
