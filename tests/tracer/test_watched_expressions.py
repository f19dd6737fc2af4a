"""What is watched is what the script itself would print after its step, stepped or let run; and it does no harm."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.page import WATCHES, Page

TEXTBOOK = """
import torch
from torch import nn, optim
torch.manual_seed(0)
rows = 12
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = optim.Adam(net.parameters(), lr=0.05)
x = torch.randn(rows, 4); y = x.sum(1, keepdim=True)
def train(updates):
    last = net[0].weight.detach().clone()
    for i in range(updates):
        opt.zero_grad()
        loss = (net(x + 0.01 * torch.randn(rows, 4)) - y).square().mean()
        loss.backward()
        opt.step()
        acc = 1 - loss.item() ** 2
        weight = net[0].weight.detach().clone()
        moved = float((weight - last).norm() / weight.norm())
        last = weight
        norm = float(torch.nn.utils.get_total_norm([p.grad for p in net.parameters()]))
        print(i + 1, loss.item(), acc, norm, net[2].bias.grad.norm().item(), moved)
train(8)
print("end", torch.rand(1).item())
"""
WATCHED = ("loss", "acc", "grad_norm()", "net[2].bias.grad.norm()", 'ratio("net.0.weight")')


def history(training: Debuggee) -> dict[int, list[tuple[int, float]]]:
    """The values on the page, by watch."""
    page = Page(training.folder / training.hello.page)
    found: dict[int, list[tuple[int, float]]] = {}
    for update, index, value in page.losses_since(0)[1]:
        if index >= WATCHES:
            found.setdefault(index - WATCHES, []).append((update, value))
    return found


def printed(output: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in output.splitlines() if not line.startswith("end")]


@pytest.mark.parametrize(("go", "updates"), [("continue", 200), ("next", 6), ("finish", 6)])
def test_what_is_watched_is_what_the_script_prints_itself(go: m.Go, updates: int, tmp_path: Path) -> None:
    slow = TEXTBOOK.replace("rows = 12", "rows = 40_000") if go == "continue" else TEXTBOOK
    script = write(tmp_path, slow.replace("train(8)", f"train({updates})"))
    with debuggee(script, go=go, watches=WATCHED) as training:
        stops = list(training.stops(go))
        found = history(training)
        ended = training.end()
    assert ended == bare(script)
    rows = printed(ended[1])
    for number in range(1, 5):
        sampled = [update for update, _ in found[number]]
        if go == "continue":
            assert sampled[:2] == [1, 2]
            assert len(sampled) > 2
        else:
            last = number == 2  # a variable of a function that is over, after the last update
            assert sampled == [*range(1, updates + 1 - last)]
        wanted = [rows[update - 1][number] for update in sampled]
        assert [value for _, value in found[number]] == pytest.approx(wanted, rel=1e-6)
    if go != "continue":
        assert math.isnan(found[5][0][1])
        assert [value for _, value in found[5][1:]] == pytest.approx([row[5] for row in rows[1:]], rel=1e-5)
        at_end = [stop for stop in stops if stop.boundary.done == "step" and stop.boundary.next]
        shown = [stop.watched[2].value for stop in at_end]
        assert shown == [value for _, value in found[3][: len(shown)]]


LOOPS = {
    "two models": """
D, G = nn.Linear(4, 1), nn.Linear(2, 4)
opt_d, opt_g = optim.SGD(D.parameters(), lr=0.05), optim.SGD(G.parameters(), lr=0.05)
for i in range(6):
    opt_d.zero_grad()
    loss_d = D(G(torch.randn(8, 2)).detach()).mean() - D(x).mean()
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g = -D(G(torch.randn(8, 2))).mean()
    loss_g.backward()
    opt_g.step()
    print(D.weight.norm().item() + G.weight.norm().item())
""",
    "accumulation, zero_grad last": """
opt = optim.SGD(net.parameters(), lr=0.05)
sched = optim.lr_scheduler.StepLR(opt, 4, 0.5)
D = G = net[0]
for i in range(6):
    for part in range(2):
        loss = (net(x[part::2]) - y[part::2]).square().mean() / 2
        loss.backward()
    opt.step()
    print(2 * D.weight.norm().item())
    sched.step()
    opt.zero_grad()
""",
    "closure": """
opt = optim.LBFGS(net.parameters(), lr=0.1, max_iter=2)
D = G = net[0]
def closure():
    opt.zero_grad()
    loss = (net(x) - y).square().mean()
    loss.backward()
    return loss
for i in range(6):
    opt.step(closure)
    print(2 * D.weight.norm().item())
""",
    "by hand": """
D = G = net[0]
for i in range(6):
    loss = (net(x) - y).square().mean()
    for p in net.parameters(): p.grad = None
    loss.backward()
    with torch.no_grad():
        for p in net.parameters(): p -= 0.05 * p.grad
    print(2 * D.weight.norm().item())
""",
    "nothing after the last step": """
opt = optim.SGD(net.parameters(), lr=0.05)
D = G = net[0]
for i in range(6):
    if i: print(2 * D.weight.norm().item())
    opt.zero_grad()
    (net(x) - y).square().mean().backward()
    opt.step()
print(2 * D.weight.norm().item())
""",
}
BEGIN = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_each_update_has_one_value_that_of_its_end_however_the_loop_is_written(loop: str, tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + LOOPS[loop])
    with debuggee(script, go="next", watches=("norm(D.weight) + norm(G.weight)",)) as training:
        list(training.stops("next"))
        found = history(training)
        ended = training.end()
    assert ended == bare(script)
    rows = [row[0] for row in printed(ended[1])]
    assert [update for update, _ in found[1]] == [*range(1, 7)]
    first = 1 if loop == "two models" else 0  # how many steps an update has is not known in the first one
    assert [value for _, value in found[1]][first:] == pytest.approx(rows[first:], rel=1e-5)


def test_what_a_watch_raises_is_told_in_its_place_and_reaches_nobody_else(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK)
    wrong = ("nothing", "1 / 0", "x", "torch.rand(3)[5]", "exit()", "(lambda f: f(f))(lambda f: f(f))", "x is 1", "'a'")
    with debuggee(script, go="next", watches=wrong) as training:
        stop = training.stop()
        kinds = ["NameError", "ZeroDivisionError", "ValueError", "IndexError", "SystemExit", "RecursionError", "", ""]
        assert [value.problem.partition(":")[0] for value in stop.watched] == kinds
        many = "it is a tensor of 48 elements (12 x 4); take its norm(), mean() or one"
        assert stop.watched[2].problem == f"ValueError: {many}"
        assert (stop.watched[6].value, stop.watched[6].text, stop.watched[7].text) == (0.0, "False", "'a'")
        list(training.stops_from(training.go("continue"), "continue"))
        assert training.end() == bare(script)
    assert {one.number for one in training.failures if one.problem} >= {1, 2, 3, 4, 5, 6}


def test_a_watch_that_draws_random_numbers_leaves_those_of_the_script(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK)
    with debuggee(script, go="next", watches=("torch.rand(()).item()", "net(torch.randn(3, 4)).sum()")) as training:
        list(training.stops("next"))
        assert training.end() == bare(script)


def test_what_is_set_or_changed_at_a_stop_is_read_there_at_once_and_what_is_kept_stays(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK)
    with debuggee(script, go="finish", watches=("ema(update, 0.5)",)) as training:
        stops = training.stops("finish")
        next(stops)
        next(stops)
        training.send(m.SetWatches((m.Watch(1, "ema(update, 0.5)"), m.Watch(2, 'norm("net.0.weight")'))))
        before = training.next_message()
        assert isinstance(before, m.WatchesRead)
        assert [value.problem for value in before.values] == ["", ""]
        assert training.ask(m.CheckWatch("norm('net.0.weight')")).value.value == before.values[1].value
        preview = training.ask(m.PreviewEdit("net.0.weight", "old * 2"))
        training.ask(m.ApplyEdit(preview.token))
        after = training.next_message()
        assert after.values[1].value == pytest.approx(2 * before.values[1].value)
        list(stops)
        found = history(training)
    average, wanted = 0.0, []
    for update in range(1, 9):
        average = 0.5 * average + 0.5 * update
        wanted.append(average / (1 - 0.5**update))
    assert [value for _, value in found[1]] == pytest.approx(wanted)


def test_what_models_and_optimizers_hold_is_found_by_the_name_that_the_screen_has(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK.replace("nn.ReLU()", "nn.BatchNorm1d(6)"))
    names = ("net.1.running_mean", "opt.state[net.0.weight].exp_avg", "net.0.*", "net.0.weight.grad")
    with debuggee(script, go="finish", watches=tuple(f'norm("{name}")' for name in names)) as training:
        stops = training.stops("finish")
        next(stops)
        next(stops)
        stop = next(stops)
        code = (
            "net[1].running_mean.norm()", "opt.state[net[0].weight]['exp_avg'].norm()",
            "(net[0].weight.square().sum() + net[0].bias.square().sum()).sqrt()", "net[0].weight.grad.norm()",
        )  # fmt: skip
        wanted = [float(training.ask(m.Evaluate(0, f"float({one})")).value) for one in code]
    assert [value.value for value in stop.watched] == pytest.approx(wanted, rel=1e-5)


def interrupt(training: Debuggee) -> None:
    """Interrupt what is evaluated, as the hub does, as soon as the page says that something is."""
    turn = threading.Event()
    while training.interrupt_signal is None:
        turn.wait(0.01)
    page = Page(training.folder / training.hello.page)
    while not page.evaluating_since():
        turn.wait(0.01)
    os.kill(training.hello.pid, training.interrupt_signal)


def test_a_watch_that_never_ends_is_interrupted_and_switched_off_and_training_goes_on(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK)
    with debuggee(script, go="next", watches=("any(False for _ in iter(int, 1))", "loss")) as training:
        interrupting = threading.Thread(target=interrupt, args=(training,))
        interrupting.start()
        stop = training.stop()
        interrupting.join()
        assert stop.watched[0].problem == "it did not end, and was interrupted"
        list(training.stops_from(training.go("continue"), "continue"))
        assert training.end() == bare(script)
    assert training.failures[0] == m.WatchFailed(1, "it did not end, and was interrupted; it is switched off", off=True)


def test_a_stop_at_the_end_of_an_update_is_a_sample_however_training_came_there(tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK.replace("train(8)", "train(60)"))
    points = (msgspec.structs.replace(parse("after step at update 37"), number=1),)
    with debuggee(script, go="continue", watches=("loss",), breakpoints=points) as training:
        stop = training.stop()
        assert history(training)[1][-1] == (37, stop.watched[0].value)


@pytest.mark.parametrize("text", ["after step at update 37", "step at update 37", "backward at update 37", "update 37"])
def test_a_breakpoint_far_ahead_is_met_while_something_is_watched(text: str, tmp_path: Path) -> None:
    script = write(tmp_path, TEXTBOOK.replace("train(8)", "train(60)"))
    points = (msgspec.structs.replace(parse(text), number=1),)
    with debuggee(script, go="continue", watches=("loss",), breakpoints=points) as training:
        boundary = training.stop().boundary
    assert 37 in (boundary.update, boundary.opens)
