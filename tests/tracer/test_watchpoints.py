"""A watchpoint stops training at the first boundary after its value has done what is waited for, whoever has done it.

Each training is traced once, with the fingerprints of everything at every boundary; then it is let run to each
watchpoint, which has to be met at just those boundaries at which the fingerprint is another than at the one before.
"""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.errors import UsageError
from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import describe, parse

BEGIN = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 1))
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
def cost(pred, target): return (pred - target).square().mean()
"""
LOOP = """
for i in range(5):
    opt.zero_grad()
    loss = cost(net(x), y)
    loss.backward()
    opt.step()
"""
END = """
print(sum(p.double().sum().item() for p in net.state_dict().values()), torch.rand(1).item())
"""
SGD = "opt = optim.SGD(net.parameters(), lr=0.05)"
WEIGHT, STATE = "net.0.weight", "opt.state[net.0.weight].exp_avg"
SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sgd": (SGD + LOOP, (WEIGHT, f"{WEIGHT}.grad", "net.1.running_mean", "net.1.num_batches_tracked")),
    "fused adam": ("opt = optim.Adam(net.parameters(), lr=0.05, fused=True)" + LOOP, (WEIGHT, STATE)),
    "foreach adam": ("opt = optim.Adam(net.parameters(), lr=0.05, foreach=True)" + LOOP, (WEIGHT, STATE)),
    "gradients that stay": (SGD + LOOP.replace("zero_grad()", "zero_grad(set_to_none=False)"), (f"{WEIGHT}.grad",)),
    "written by hand": (
        SGD.replace("0.05", "0.0")
        + LOOP
        + """
    if i == 2:
        net[2].bias.data.mul_(0.5)
    if i == 3:
        with torch.no_grad():
            net[0].weight.copy_(torch.ones(6, 4))
            net[1].running_mean.numpy()[2] = 7
""",
        ("net.2.bias", WEIGHT, "net.1.running_mean"),
    ),
    "loaded": (
        """
kept = {key: value.clone() for key, value in net.state_dict().items()}
"""
        + SGD
        + LOOP
        + """
    if i == 2:
        net.load_state_dict(kept)
""",
        (WEIGHT, "net.1.running_var"),
    ),
    "accumulated": (
        SGD
        + """
for i in range(3):
    for part in range(2):
        cost(net(x[part::2]), y[part::2]).backward()
    opt.step()
    for p in net.parameters():
        p.grad = None
""",
        (WEIGHT, f"{WEIGHT}.grad"),
    ),
    "replaced": (
        SGD
        + LOOP
        + """
    if i == 1:
        net[2] = nn.Linear(6, 1)
        opt.param_groups[0]["params"][4:] = list(net[2].parameters())
    if i == 2:
        net[0].weight = nn.Parameter(net[0].weight.detach().clone())
""",
        (WEIGHT, "net.2.weight"),
    ),
    "closure": (
        """
opt = optim.LBFGS(net.parameters(), lr=0.1, max_iter=2)
def closure():
    opt.zero_grad()
    loss = cost(net(x), y)
    loss.backward()
    return loss
for i in range(3):
    opt.step(closure)
""",
        (WEIGHT, f"{WEIGHT}.grad"),
    ),
    "two models": (
        """
D = nn.Linear(1, 1)
opt, opt_d = optim.SGD(net.parameters(), lr=0.05), optim.SGD(D.parameters(), lr=0.05)
for i in range(4):
    opt_d.zero_grad()
    loss_d = D(net(x).detach()).mean() - D(y).mean()
    loss_d.backward()
    opt_d.step()
    opt.zero_grad()
    loss_g = -D(net(x)).square().mean()
    loss_g.backward()
    opt.step()
""",
        (WEIGHT, "D.weight", "D.weight.grad"),
    ),
    "scaler": (
        SGD
        + """
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
for i in range(4):
    opt.zero_grad()
    loss = cost(net(x), y) * (float("inf") if i == 1 else 1)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    scaler.step(opt)
    scaler.update()
""",
        (WEIGHT, f"{WEIGHT}.grad"),
    ),
    "by hand": (
        """
w = torch.zeros(3, requires_grad=True)
data = torch.randn(8, 3)
for i in range(4):
    loss = (data @ w - 1).square().mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
""",
        ("w",),
    ),
}
CASES = [(kind, name) for kind, (_, names) in SCRIPTS.items() for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie."""
    return tmp_path_factory.mktemp("watched")


@cache
def traced(kind: str, folder: Path) -> tuple[m.Traced, ...]:
    """Every boundary of that script, with the fingerprints of all that is alive there."""
    script = write(folder, BEGIN + SCRIPTS[kind][0])
    with debuggee(script, trace=m.Tracing(effects=True, fingerprints=True)) as training:
        for _ in training.stops():
            pass
        return tuple(training.traced)


@cache
def alone(kind: str, folder: Path) -> tuple[int, str, str]:
    """How the script ends without stepdbg."""
    return bare(write(folder, BEGIN + SCRIPTS[kind][0] + END))


def points(*texts: str) -> tuple[m.Breakpoint, ...]:
    """These watchpoints, numbered."""
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


def met(training: Debuggee) -> list[m.Stop]:
    """The stops for breakpoints, as training runs to its end."""
    return [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]


def changes(seen: tuple[m.Traced, ...], name: str) -> list[m.Boundary]:
    """The boundaries, but for the last, at which the fingerprint of that object is another than at the one before."""
    found = []
    for before, after in itertools.pairwise(seen[:-1]):
        assert before.fingerprints is not None
        assert after.fingerprints is not None
        if before.fingerprints.get(name) != after.fingerprints.get(name):
            found.append(after.boundary)
    return found


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_change_stops_training_at_the_first_boundary_after_it_and_at_no_other(
    kind: str, name: str, folder: Path
) -> None:
    wanted = changes(traced(kind, folder), name)
    assert wanted
    script = write(folder, BEGIN + SCRIPTS[kind][0] + END)
    with debuggee(script, go="continue", breakpoints=points(f"when {name} changes")) as training:
        stops = met(training)
        assert not training.notices
        assert training.end() == alone(kind, folder)
    assert [stop.boundary.index for stop in stops] == [at.index for at in wanted]
    assert all(stop.detail.startswith(f"breakpoint 1: when {name} changes: ") for stop in stops)


VALUES = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Linear(4, 2)
net.extra = nn.Parameter(torch.zeros(2))
opt = optim.SGD(net.parameters(), lr=0.0)
x = torch.randn(6, 4)

def train(turn):
    opt.zero_grad()
    scale = torch.ones(3)
    if turn >= 5:
        scale[1] = turn
    loss = net(x).square().mean()
    loss.backward()
    opt.step()

for turn in range(1, 9):
    train(turn)
    if turn in (2, 5):
        with torch.no_grad():
            net.weight[1, 2] = turn
            net.extra[0] = float("nan") if turn == 5 else 0.5
"""


def stopped(folder: Path, *texts: str, script: str = VALUES) -> list[m.Stop]:
    """The stops of a script, let run, with these watchpoints."""
    with debuggee(write(folder, script), go="continue", breakpoints=points(*texts)) as training:
        return met(training)


def test_an_element_is_told_with_what_it_was_and_what_it_has_become_and_where(tmp_path: Path) -> None:
    first, second = stopped(tmp_path, "when net.weight[1, 2] changes")
    assert first.boundary.update == 2
    assert first.detail.startswith("breakpoint 1: when net.weight[1, 2] changes: after step, before script.py:")
    assert first.detail.endswith(" to 2")
    assert second.detail.endswith("from 2 to 5")


def test_a_slice_is_met_for_what_lies_in_it_only(tmp_path: Path) -> None:
    assert not stopped(tmp_path, "when net.weight[0] changes", "when net.weight[:, :2] changes")
    (_, second) = stopped(tmp_path, "when net.weight[:, 1:3] changes")
    assert "1 of 4 elements, [1, 2] from 2 to 5" in second.detail


def test_a_range_is_left_once_and_left_again_only_from_within(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, "when net.weight leaves -1 to 1")
    assert stop.boundary.update == 2
    assert stop.detail.endswith("[1, 2] is 2")
    (stop,) = stopped(tmp_path, "when net.extra leaves -1 to 1")
    assert (stop.boundary.update, stop.detail.endswith("[0] is nan")) == (5, True)


def test_the_first_value_that_is_not_finite_stops(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, "when net.* is not finite once")
    assert stop.boundary.update == 5
    assert "after step" in stop.detail
    assert "net.extra: [0] is nan" in stop.detail


def test_what_stays_is_told_where_the_last_of_the_updates_ends(tmp_path: Path) -> None:
    stops = stopped(tmp_path, "when net.weight stays 2 updates")
    assert [(stop.boundary.update, stop.boundary.opens) for stop in stops] == [(4, 5), (7, 8)]
    assert stops[0].detail.endswith("no change since update 2")


def test_a_variable_of_a_function_is_watched_while_the_function_runs(tmp_path: Path) -> None:
    stops = stopped(tmp_path, "when scale[1] leaves 0 to 4")
    assert [stop.boundary.update for stop in stops] == [5, 6, 7, 8]
    assert stops[0].detail.endswith("it is 5")


def test_clauses_and_conditions_hold_for_a_watchpoint_too(tmp_path: Path) -> None:
    texts = (
        "when net.weight.grad changes every 3 if update > 3",
        'when net.weight changes log "{update}: {float(net.weight[1, 2]):g}"',
        "when net.extra changes on rank 1",
        "when net.weight changes ignore 1",
    )
    with debuggee(write(tmp_path, VALUES), go="continue", breakpoints=points(*texts)) as training:
        stops = met(training)
    assert [(stop.boundary.update, stop.boundary.done) for stop in stops] == [
        (5, "step"),
        (6, "zero_grad"),
        (6, "backward"),
    ]
    assert [one.words for one in training.noted] == ["2: 2", "5: 5"]


def test_what_the_user_changes_at_a_stop_is_not_what_training_did(tmp_path: Path) -> None:
    point = points("when net.weight changes", "after step at update 1")
    with debuggee(write(tmp_path, VALUES), go="continue", breakpoints=point) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.boundary.done == "step"
        training.ask(m.Evaluate(0, "net.weight.data[0, 0] = 9"))
        stop = training.go("continue")
        assert stop is not None
        assert (stop.boundary.update, "[1, 2]" in stop.detail) == (2, True)


def test_a_watchpoint_is_checked_before_it_is_set(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, VALUES), breakpoints=points("when net.wait changes")) as training:
        stop = training.stop()
        while stop is not None and stop.boundary.update < 3:
            stop = training.go("next")
        assert stop is not None
        assert stop.unmet == (1,)
        ask = lambda text: training.ask(m.CheckBreakpoint(text))  # noqa: E731
        assert ask("when net.weight[1, 2] changes").value == "2"
        assert len(ask("when net.* changes").matches) == 6
        assert ask("when net.weigth changes").unknown == "nothing is called net.weigth yet; did you mean net.weight?"
        assert "dimension" in ask("when net.weight[7, 7] changes").problem


def test_a_slice_that_a_tensor_does_not_have_stops_once_and_says_so(tmp_path: Path) -> None:
    (stop,) = stopped(tmp_path, "when net.weight[7] changes")
    assert stop.detail == "breakpoint 1: when net.weight[7] changes: index 7 lies outside of dimension 0, which has 2"


@pytest.mark.parametrize(
    "text",
    [
        "when model.fc1.weight changes",
        "when model.fc1.weight[3, 7] leaves -1 to 1",
        "when opt.state[model.*.weight].exp_avg is not finite once",
        "when w stays 5 updates on rank 0 if loss > 2",
        "when x leaves 0.5 to inf every 3",
    ],
)
def test_what_is_told_of_a_watchpoint_is_read_back_to_the_same_one(text: str) -> None:
    assert describe(parse(text)) == text
    assert parse(describe(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["when", "when w", "when w moves", "when w leaves 1", "when w leaves 2 to 1", "when w stays 0 updates"]
)
def test_what_says_not_what_is_waited_for_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="write for example"):
        parse(text)
