"""What is told of a phase is its call's doing; what the script does afterwards, or a phase around it, is told as that.

The loss is the tensor that `backward` is called on.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.listing.effect_names import counted
from stepdbg.protocol import messages as m
from stepdbg.tui.drawing.lines import by_clauses
from stepdbg.tui.words.sentence import sentence

START = """
    import copy
    import torch
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(8, 4)
"""
LOSSES = """
    for update in range(2):
        out = net(x)
        recon = (out[:, 0] - 1).square().mean()
        loss_a = recon + out[:, 1].abs().mean()
        loss_b = (out[:, 1] + 1).square().mean() * 100
        opt.zero_grad()
        loss_a.backward(retain_graph=True)
        loss_b.backward()
        opt.step()
"""
DERIVATIVE = """
    x.requires_grad_()
    for update in range(2):
        opt.zero_grad()
        u = net(x)
        slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        total = (slope - 1).square().mean() + u.square().mean()
        total.backward()
        opt.step()
"""
AFTERWARDS = """
    average = copy.deepcopy(net)
    for update in range(3):
        loss = net(x).square().mean()
        opt.zero_grad()
        loss.backward()
        for p in net.parameters():
            p.grad.data.clamp_(-1e-3, 1e-3)
        opt.step()
        with torch.no_grad():
            net.weight.data.mul_(0.9)
            average.load_state_dict(net.state_dict())
"""
EPOCHS = """
    data = [(torch.randn(4), torch.zeros(1)) for _ in range(6)]
    loader, other = torch.utils.data.DataLoader(data, 3), torch.utils.data.DataLoader(data[:2], 2)
    for epoch in range(2):
        for x, y in loader:
            opt.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            opt.step()
        net.register_buffer("seen", torch.ones(epoch + 1))
        with torch.no_grad():
            for x, y in other:
                net(x)
    print("end")
"""
IN_BACKWARD = """
    opts = {p: torch.optim.SGD([p], lr=0.1) for p in net.parameters()}
    def step_now(p):
        opts[p].step()
        opts[p].zero_grad()
    for p in net.parameters():
        p.register_post_accumulate_grad_hook(step_now)
    for update in range(2):
        loss = net(x).square().mean()
        loss.backward()
"""
CLOSURE = """
    for update in range(3):
        def closure():
            opt.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            return loss
        opt.step(closure)
"""
BROKEN = """
    inner = torch.nn.Linear(2, 1)
    def guard(grad):
        if update:
            raise ValueError("too large")
    for update in range(2):
        opt.zero_grad()
        h = net(x)
        h.register_hook(guard)
        loss = inner(h).square().mean()
        loss.backward()
        opt.step()
"""


def stops_of(tmp_path: Path, program: str, update: int) -> list[m.Stop]:
    with debuggee(write(tmp_path, START + program)) as training:
        return [stop for stop in training.stops() if stop.boundary.update == update]


def done(stops: list[m.Stop], phase: str, number: int = 0) -> m.Stop:
    return [stop for stop in stops if stop.boundary.done == phase][number]


def told(stop: m.Stop, kind: str, *, after: bool = False) -> set[str]:
    assert stop.effects is not None
    return {one.object for one in stop.effects.named if one.kind == kind and one.after == after}


def test_the_loss_is_what_backward_is_called_on_and_others_stand_beside_it(tmp_path: Path) -> None:
    stops = stops_of(tmp_path, LOSSES, 2)
    assert told(done(stops, "loss"), "loss") == {"recon", "loss_a", "loss_b"}
    before = [stop for stop in stops if stop.boundary.next == "backward"]
    assert [stop.loss_name for stop in before] == ["loss_a", "loss_b"]
    assert [stop.next_of for stop in before] == ["loss_a", "loss_b"]
    assert before[0].boundary.loss != before[1].boundary.loss
    assert all(told(stop, "loss") == set() for stop in stops if stop.boundary.done in ("zero_grad", "backward"))
    assert [stop.walked_from for stop in stops if stop.boundary.done == "backward"] == ["loss_a", "loss_b"]
    assert "from `loss_a`" in sentence(done(stops, "backward"))


def test_a_derivative_is_no_loss_and_the_loss_is_made_after_it(tmp_path: Path) -> None:
    stops = stops_of(tmp_path, DERIVATIVE, 2)
    assert [stop.boundary.done for stop in stops][-5:] == ["loss", "backward", "loss", "backward", "step"]
    first = done(stops, "backward")
    assert (first.walked_from, told(first, "loss")) == ("", set())
    assert "derivative" in sentence(first)
    made = done(stops, "loss", 1)
    assert (told(made, "loss"), made.loss_name) == ({"total"}, "total")


@pytest.mark.parametrize(
    ("phase", "loop"),
    [
        ("eval", "for update in range(2):\n        with torch.no_grad(): out = net(x)"),
        ("data", "for out in torch.utils.data.DataLoader(x, 4):\n        pass"),
    ],
)
def test_an_evaluation_or_a_loader_makes_no_loss(tmp_path: Path, phase: str, loop: str) -> None:
    program = f"""
    {loop}
        loss = (net.weight.sum() * out.mean()).square()
        loss.backward()
        opt.step(); opt.zero_grad()
"""
    at = done(stops_of(tmp_path, program, 1), phase)
    assert (told(at, "loss"), told(at, "loss", after=True)) == (set(), {"loss"})


def test_what_comes_after_a_call_is_not_told_as_its_doing(tmp_path: Path) -> None:
    stops = stops_of(tmp_path, AFTERWARDS, 2)
    backward, step = done(stops, "backward"), done(stops, "step")
    grads = {"net.weight.grad", "net.bias.grad"}
    assert (told(backward, "grad"), told(backward, "grad", after=True)) == (grads, grads)
    assert told(step, "parameter") == {"net.weight", "net.bias"}
    assert told(step, "parameter", after=True) == {"net.weight", "average.weight", "average.bias"}
    assert "; then, before " in sentence(step)
    record = step.phases[-1] if step.phases else step.previous[-1]
    assert record.effects is not None
    assert {one.after for one in record.effects.counts if one.kind == "parameter"} == {False, True}


def test_what_an_outer_phase_does_between_those_inside_it_is_its_own(tmp_path: Path) -> None:
    stops = stops_of(tmp_path, IN_BACKWARD, 2)
    grads = {"net.weight.grad", "net.bias.grad"}
    inside = [stop for stop in stops if stop.boundary.inside == ("backward",)]
    assert {name for stop in inside if stop.boundary.done == "step" for name in told(stop, "parameter")} == {
        "net.weight",
        "net.bias",
    }
    assert told(inside[0], "grad")
    assert "so far backward" in sentence(inside[0])
    whole = [stop for stop in stops if stop.boundary.done == "backward" and not stop.boundary.inside]
    assert told(whole[0], "grad") == grads
    assert told(whole[0], "parameter") == set()


@pytest.mark.parametrize("program", [CLOSURE, CLOSURE.replace("opt.step(", "opt.step(closure=")])
def test_a_breakpoint_before_a_step_with_a_closure_is_met_once_after_the_closure(tmp_path: Path, program: str) -> None:
    point = m.Breakpoint(1, phase="step", when="before")
    with debuggee(write(tmp_path, START + program), go="continue", breakpoints=(point,)) as training:
        met = [stop.boundary for stop in training.stops("continue") if stop.reason == "breakpoint"]
    assert [(one.inside, one.done) for one in met] == [(("step",), "backward")] * 3


def test_the_stop_on_an_exception_tells_what_the_phase_had_done(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + BROKEN)) as training:
        last = list(training.stops())[-1]
    assert (last.reason, last.boundary.inside) == ("exception", ("backward",))
    assert told(last, "grad") == {"inner.weight.grad", "inner.bias.grad"}
    assert "had written 2" in sentence(last)
    assert last.phases[-1].effects is not None
    with debuggee(write(tmp_path, START + BROKEN), go="continue") as training:
        last = list(training.stops("continue"))[-1]
    assert "have a .grad now" in sentence(last)


def test_a_loader_with_no_batch_left_is_told_with_the_epoch_that_is_over(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + EPOCHS)) as training:
        over = [sentence(stop) for stop in training.stops() if stop.boundary.over is not None]
    assert [words.partition(";")[0] for words in over] == [
        "data found no batch left: epoch 1 is over",
        "data found no batch left: epoch 2 is over",
    ]
    assert not any("changed nothing" in words for words in over)


AVERAGED = """
    import copy, torch
    from torch import nn
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3, False), nn.BatchNorm1d(3), nn.Linear(3, 3, False), nn.BatchNorm1d(3))
    ema = copy.deepcopy(net).requires_grad_(False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.randn(6, 4)).square().sum().backward()
        optimizer.step()
        for mean, new in zip(ema.state_dict().values(), net.state_dict().values()):
            mean.copy_(new if not mean.is_floating_point() else 0.9 * mean + 0.1 * new)
"""


def test_what_the_script_does_after_a_call_is_told_with_what_holds_it(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, AVERAGED)) as training:
        step = next(stop for stop in training.stops() if stop.boundary.done == "step")
    assert sentence(step).endswith(
        "; then, before zero_grad, 6 more parameters and 6 buffers of ema changed; `optimizer` does not hold them"
    )
    assert " ".join(by_clauses(sentence(step), 78, 2)) == sentence(step), "it has room on a small screen"


SHARED = """
    import torch
    from torch import nn
    net, target = nn.Linear(2, 1), nn.Linear(2, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        opt.zero_grad()
        net(torch.ones(2, 2)).sum().backward()
        opt.step()
        with torch.no_grad():
            target.weight.copy_(net.weight)
            if clamped:
                net.bias.clamp_(-0.01, 0.01)
"""


@pytest.mark.parametrize("clamped", [False, True])
def test_what_an_optimizer_does_not_hold_is_said_of_all_that_changed_after_its_step_or_of_none(
    clamped: bool, tmp_path: Path
) -> None:
    with debuggee(write(tmp_path, SHARED.replace("if clamped", f"if {clamped}"))) as training:
        step = next(stop for stop in training.stops() if stop.boundary.done == "step")
    assert ("target.weight changed; `opt` does not hold it" in sentence(step)) == (not clamped)
    assert step.effects is not None
    assert bool(step.effects.beyond) == (not clamped)


def test_a_breakpoint_of_the_scripts_own_takes_nothing_from_the_phase_before_it_in_a_trace(tmp_path: Path) -> None:
    own = """
    import stepdbg
    opt.zero_grad()
    net(x).sum().backward()
    opt.step()
    net.bias.data.add_(1)
    stepdbg.breakpoint()
    net.weight.data.add_(1)
"""
    with debuggee(write(tmp_path, START + own), go="continue", trace=m.Tracing(effects=True)) as training:
        list(training.stops("continue"))
    here, step = training.traced[-2:]
    assert (here.reason, here.effects, step.boundary.done) == ("breakpoint", (), "step")
    changed = [(one.object, one.after) for one in step.effects or () if one.kind == "parameter"]
    assert sorted(changed) == [(name, after) for name in ("net.bias", "net.weight") for after in (False, True)]


REMADE = """
    for stage in range(2):
        if stage:
            net.weight = torch.nn.Parameter(net.weight.detach() / 2)
            net.bias = torch.nn.Parameter(net.bias.detach() / 2)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        opt.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        opt.step()
"""


def test_an_optimizer_that_was_made_anew_for_other_parameters_is_not_said_not_to_hold_them(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + REMADE)) as training:
        step = next(stop for stop in training.stops() if stop.boundary.done == "step")
    assert "; then, before zero_grad, net.weight and net.bias changed" in sentence(step)
    assert "does not hold" not in sentence(step)


def test_what_the_script_does_after_a_forward_is_not_told_as_a_loss_s(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + LOSSES)) as training:
        stop = next(stop for stop in training.stops() if stop.boundary.done == "loss")
    changed = m.Effect("net.weight", "parameter", "changed")
    stop = msgspec.structs.replace(stop, effects=counted([changed], "fingerprint", None))
    assert sentence(stop) == "loss made nothing that a variable in sight holds; the script changed net.weight"
