"""Effects follow the object where its name becomes another's: variables of loops, and tensors that are made anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol.messages import Stop
from stepdbg.tui.words.sentence import sentence

TENSORS = """
import torch
torch.manual_seed(0)
class Holder:
    __slots__ = ("tensors",)
holder = Holder(); holder.tensors = [torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)]
"""
ROUNDS = {
    "an optimizer for each": """
opts = [torch.optim.Adam([p], lr=0.1) for p in holder.tensors]
for _ in range(3):
    for p, opt in zip(holder.tensors, opts):
        opt.zero_grad()
        loss = (p ** 2).sum()
        loss.backward()
        opt.step()
""",
    "one optimizer for both": """
opt = torch.optim.Adam(holder.tensors, lr=0.1)
for _ in range(3):
    for p in holder.tensors:
        opt.zero_grad()
        loss = (p ** 2).sum()
        loss.backward()
        opt.step()
""",
}
IN_HOOKS = """
import torch
torch.manual_seed(0)
w = [torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)]
opts = {p: torch.optim.Adam([p], lr=0.1) for p in w}
def hook(p):
    opts[p].step()
    opts[p].zero_grad()
for p in w:
    p.register_post_accumulate_grad_hook(hook)
for _ in range(3):
    loss = w[0].sum() ** 2 + w[1].sum() ** 2
    loss.backward()
"""
MADE_ANEW = {
    "variables": """
        w, b = torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(4):
            loss = ((x @ w + b) ** 2).mean()
            loss.backward()
            w = (w - 0.1 * w.grad).detach().requires_grad_()
            b = (b - 0.1 * b.grad).detach().requires_grad_()
        """,
    "one anew and one in place": """
        w, b = torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(4):
            loss = ((x @ w + b) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w = w - 0.1 * w.grad
                b -= 0.1 * b.grad
            b.grad = None
            w.requires_grad_()
        """,
    "a dict": """
        ps = {"w": torch.randn(3, requires_grad=True), "b": torch.zeros(1, requires_grad=True)}
        for _ in range(4):
            loss = ((x @ ps["w"] + ps["b"]) ** 2).mean()
            loss.backward()
            ps = {name: (p - 0.1 * p.grad).detach().requires_grad_() for name, p in ps.items()}
        """,
    "a list, whose earlier ones are kept": """
        ps, kept = [torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)], []
        for _ in range(4):
            loss = ((x @ ps[0] + ps[1]) ** 2).mean()
            loss.backward()
            kept.append(ps)
            ps = [(p - 0.1 * p.grad).detach().requires_grad_() for p in ps]
        """,
}


def effects_of(stop: Stop) -> list[tuple[str, str]]:
    """What a stop tells of parameters and optimizer state."""
    named = stop.effects.named if stop.effects is not None else ()
    return [(one.what, one.object) for one in named if one.kind in ("parameter", "state")]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_what_a_step_did_is_told_alone_where_the_loop_then_takes_the_next_tensor(rounds: str, tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TENSORS + ROUNDS[rounds])) as training:
        stops = list(training.stops())
    others = [stop for stop in stops if stop.boundary.done != "step"]
    steps = [stop for stop in stops if stop.boundary.done == "step"]
    assert len(steps) == 6
    for number, stop in enumerate(steps):
        fate = "created" if number < 2 else "changed"
        (changed, *state) = effects_of(stop)
        assert changed == ("changed", "p")
        assert [what for what, _ in state] == [fate] * 3
        assert {name.partition(".state[")[2].rpartition(".")[0] for _, name in state} == {"p]"}
        assert "does not hold" not in sentence(stop)
    assert not any(effects_of(stop) for stop in others)


def test_what_an_inner_and_an_outer_frame_call_alike_are_two(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, IN_HOOKS)) as training:
        stops = list(training.stops())
    steps = [stop for stop in stops if stop.boundary.done == "step"]
    assert len(steps) == 6
    for number, stop in enumerate(steps):
        assert [what for what, _ in effects_of(stop)] == ["changed", *["created" if number < 2 else "changed"] * 3]
    assert not any(effects_of(stop) for stop in stops if stop.boundary.done != "step")


@pytest.mark.parametrize("way", MADE_ANEW)
def test_a_tensor_that_is_made_anew_in_each_update_is_the_one_that_is_trained(way: str, tmp_path: Path) -> None:
    begin = "import torch\ntorch.manual_seed(0)\nx = torch.randn(5, 3)\n"
    path = write(tmp_path, MADE_ANEW[way])
    Path(path).write_text(begin + Path(path).read_text())
    with debuggee(path) as training:
        stops = list(training.stops())
    backwards = [stop for stop in stops if stop.boundary.done == "backward"]
    steps = [stop for stop in stops if stop.boundary.done == "step"]
    assert len(backwards) == len(steps) == 4
    for stop in backwards:
        assert stop.effects is not None
        assert [(one.kind, one.what) for one in stop.effects.named] == [("grad", "created")] * 2
    for stop in steps:
        assert [what for what, _ in effects_of(stop)] == ["changed"] * 2


def test_no_gradient_is_said_to_be_there_where_derivatives_were_taken_by_hand(tmp_path: Path) -> None:
    script = """
        import torch
        torch.manual_seed(0)
        x = torch.randn(5, 3)
        ps = [torch.randn(3, requires_grad=True), torch.zeros(1, requires_grad=True)]
        for _ in range(3):
            loss = ((x @ ps[0] + ps[1]) ** 2).mean()
            grads = torch.autograd.grad(loss, ps)
            ps = [(p - 0.1 * g).detach().requires_grad_() for p, g in zip(ps, grads)]
        """
    with debuggee(write(tmp_path, script)) as training:
        steps = [stop for stop in training.stops() if stop.boundary.done == "step"]
    assert len(steps) == 3
    assert [sentence(stop).removesuffix("; the script has ended") for stop in steps] == [
        "step changed ps[0] and ps[1]"
    ] * 3


def test_what_is_found_in_a_model_later_is_the_parameter_that_the_optimizer_held(tmp_path: Path) -> None:
    script = """
        import torch
        from torch import nn
        torch.manual_seed(0)
        def make():
            net = nn.Linear(3, 1)
            return [[[net]]], torch.optim.Adam(net.parameters(), lr=0.1)
        deep, opt = make()
        for i in range(3):
            opt.zero_grad()
            deep[0][0][0](torch.ones(2, 3)).sum().backward()
            opt.step()
        """
    with debuggee(write(tmp_path, script)) as training:
        stops = list(training.stops())
    by_phase = {stop.boundary.done: effects_of(stop) for stop in stops if stop.boundary.update == 1}
    assert by_phase["zero_grad"] == by_phase["forward"] == by_phase["backward"] == []
    assert {what for what, _ in by_phase["step"]} == {"changed", "created"}
