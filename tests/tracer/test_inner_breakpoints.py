"""Breakpoints within a phase: on the call of a module in a model, and on a parameter's gradient.

Each training is stepped into once, unit by unit; then it is let run to each breakpoint, which has to be met at just
those units that it names, and the script has to end in the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import describe, parse

BEGIN = """
import copy, pickle
import torch
from torch import nn, optim
from torch.utils.checkpoint import checkpoint
torch.manual_seed(0)
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.Linear(4, 4)
        self.fc = nn.Linear(4, 4)
    def forward(self, x):
        scale = 2.0
        x = self.attn(x)
        return self.fc(x) * scale
class Net(nn.Module):
    keep, reentrant = False, False
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(4, 1)
    def forward(self, x):
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=self.reentrant) if self.keep else layer(x)
        return self.head(self.layers[0].fc(x))
model = Net()
x = torch.randn(12, 4); y = x.sum(1, keepdim=True).detach()
def cost(pred, target): return (pred - target).square().mean()
"""
END = """
print(sum(p.double().sum().item() for p in model.parameters()))
print("__call__" in vars(nn.Linear), all(p._post_accumulate_grad_hooks is None for p in model.parameters()))
"""
SCRIPTS = {
    "textbook": """
opt = optim.Adam(model.parameters(), lr=0.05)
for i in range(5):
    opt.zero_grad()
    loss = cost(model(x), y)
    loss.backward()
    opt.step()
    with torch.no_grad():
        model(x)
""",
    "accumulation and scaler": """
opt = optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
for i in range(3):
    for part in range(2):
        scaler.scale(cost(model(x[part::2]), y[part::2])).backward()
    scaler.step(opt)
    scaler.update()
    opt.zero_grad()
""",
    "closure": """
opt = optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
def closure():
    opt.zero_grad()
    loss = cost(model(x), y)
    loss.backward()
    return loss
for i in range(3):
    opt.step(closure)
""",
    "two models": """
judge = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
opt = optim.SGD(model.parameters(), lr=0.05)
opt_j = optim.SGD(judge.parameters(), lr=0.05)
for i in range(4):
    opt_j.zero_grad()
    loss = judge(model(x).detach()).mean()
    loss.backward()
    opt_j.step()
    opt.zero_grad()
    loss = -judge(model(x)).mean()
    loss.backward()
    opt.step()
""",
    "checkpointed": """
Net.keep = True
opt = optim.SGD(model.parameters(), lr=0.05)
for i in range(3):
    opt.zero_grad()
    loss = cost(model(x), y)
    loss.backward()
    opt.step()
""",
    "checkpointed, a backward within backward": """
Net.keep, Net.reentrant = True, True
x.requires_grad_()
opt = optim.SGD(model.parameters(), lr=0.05)
for i in range(3):
    opt.zero_grad()
    loss = cost(model(x), y)
    loss.backward()
    opt.step()
""",
}
Unit = tuple[int, str, str, str]
"""The update, the phase, what kind of unit, and its name."""
Fits = Callable[[Unit], bool]


def module(pattern: str, of: Callable[[int], bool] = lambda update: True) -> Fits:
    """Whether a unit is the call of such a module in a forward."""
    return lambda one: one[1:3] == ("forward", "module") and fnmatchcase(one[3], pattern) and of(one[0])


def gradient(pattern: str, of: Callable[[int], bool] = lambda update: True) -> Fits:
    """Whether a unit is the gradient of such a parameter."""
    return lambda one: one[2] == "gradient" and fnmatchcase(one[3], pattern) and of(one[0])


POINTS: dict[str, Fits] = {
    "after forward of model.head": module("model.head"),
    "after forward of model.layers.*.attn": module("model.layers.*.attn"),
    "after forward of model.layers.0.fc every 2": module("model.layers.0.fc", lambda update: update % 2 == 0),
    "after forward of model.layers.1 if update > 2": module("model.layers.1", lambda update: update > 2),
    "gradient of model.head.weight": gradient("model.head.weight"),
    "gradient of model.*.bias at update 2": gradient("model.*.bias", lambda update: update == 2),
}


def unit_of(stop: m.Stop) -> Unit:
    """The unit of an inner stop."""
    assert stop.inner is not None
    return stop.boundary.update, stop.inner.phase, stop.inner.unit, stop.inner.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie."""
    return tmp_path_factory.mktemp("inner")


@cache
def units(kind: str, folder: Path) -> tuple[Unit, ...]:
    """All units of that script, as whoever steps into every phase comes to them."""
    with debuggee(write(folder, BEGIN + SCRIPTS[kind])) as training:
        return tuple(unit_of(stop) for stop in training.stops("into") if stop.inner is not None)


@cache
def alone(kind: str, folder: Path) -> tuple[int, str, str]:
    """How the script ends without stepdbg."""
    return bare(write(folder, BEGIN + SCRIPTS[kind] + END))


def points(*texts: str) -> tuple[m.Breakpoint, ...]:
    """These breakpoints, numbered."""
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


def met(training: Debuggee) -> list[m.Stop]:
    """The stops for breakpoints, as training runs to its end."""
    return [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]


@pytest.mark.parametrize("text", POINTS)
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_breakpoint_within_a_phase_is_met_where_it_says_and_leaves_no_trace(
    kind: str, text: str, folder: Path
) -> None:
    wanted = [unit for unit in units(kind, folder) if POINTS[text](unit)]
    script = write(folder, BEGIN + SCRIPTS[kind] + END)
    with debuggee(script, go="continue", breakpoints=points(text)) as training:
        assert [unit_of(stop) for stop in met(training)] == wanted
        assert not training.notices
        assert training.end() == alone(kind, folder)


def test_before_a_module_is_called_its_inputs_and_the_variables_of_the_forward_around_it_are_there(
    folder: Path,
) -> None:
    texts = ("before forward of model.layers.1.fc if scale > 1", "forward of model.layers.1.attn if scale > 2")
    script = write(folder, BEGIN + SCRIPTS["textbook"])
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.inner is not None
        assert stop.detail == f"breakpoint 1: {texts[0]}"
        assert (stop.inner.unit, stop.inner.name, stop.inner.ahead) == ("module", "model.layers.1.fc", True)
        assert [one.label for one in stop.inner.tensors] == ["input"]
        assert stop.boundary.inside == ("forward",)
        assert stop.frames[0].function == "forward"
        after = training.go("into")
        assert after is not None
        assert after.inner is not None
        assert (after.inner.name, after.inner.ahead) == ("model.layers.1.fc", False)
        following = training.go("next")
        assert following is not None
        assert (following.inner, following.boundary.done) == (None, "forward")


def test_a_name_that_is_a_whole_model_s_is_its_phase(folder: Path) -> None:
    script = write(folder, BEGIN + SCRIPTS["two models"])
    with debuggee(script, go="continue", breakpoints=points("forward of judge", "after forward of m*")) as training:
        stops = met(training)
    assert all(stop.inner is None for stop in stops)
    assert [stop.boundary.done == "forward" for stop in stops].count(True) >= 8


def test_clauses_hold_within_a_phase_as_they_do_elsewhere(folder: Path) -> None:
    texts = (
        "after forward of model.head ignore 1 once",
        'after forward of model.layers.1.attn every 2 log "{update}: {scale}"',
        "gradient of model.head.bias on rank 1",
        "gradient of model.head.bias if 1 / 0",
    )
    script = write(folder, BEGIN + SCRIPTS["textbook"])
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        stops = met(training)
    assert [unit_of(stop) for stop in stops] == [
        (1, "backward", "gradient", "model.head.bias"),
        (2, "forward", "module", "model.head"),
    ]
    assert stops[0].detail.endswith("ZeroDivisionError: division by zero")
    assert [one.words for one in training.noted] == ["2: 2.0", "4: 2.0"]


def test_no_copy_pickle_or_graph_of_a_model_sees_what_is_hooked(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        BEGIN
        + """
class Copying(Net):
    def forward(self, x):
        twin = pickle.loads(pickle.dumps(self))
        assert sorted(vars(copy.deepcopy(self))) == sorted(vars(twin)) == sorted(vars(self))
        print(sorted(vars(self.head)), sorted(self.state_dict()), len(self.head._forward_hooks))
        if self.training:
            print(torch.fx.symbolic_trace(nn.Sequential(copy.deepcopy(self.head))).graph)
        return super().forward(x)
model = Copying()
"""
        + SCRIPTS["textbook"]
        + END,
    )
    texts = ("after forward of model.head every 3", "gradient of model.head.weight every 3")
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        assert len(met(training)) == 2
        assert training.end() == bare(script)


def test_an_exception_within_a_phase_passes_as_ever_and_nothing_stays_hooked(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
import torch, traceback
from torch import nn
class Fails(nn.Module):
    def forward(self, x):
        return x @ torch.ones(7)
class Own(nn.Linear):
    def __call__(self, x):
        return super().__call__(x)
model = nn.Sequential(Own(3, 4), nn.Sequential(Fails()), Own(4, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
def bad(grad):
    raise ValueError("in a hook")
for i in range(3):
    try:
        model(torch.ones(2, 3))
    except RuntimeError:
        traceback.print_exc()
    loss = model[2](model[0](torch.ones(2, 3))).sum()
    if i == 1:
        handle = model[0].weight.register_hook(bad)
    try:
        loss.backward()
    except ValueError:
        traceback.print_exc()
        handle.remove()
    opt.step()
print(all(p._post_accumulate_grad_hooks is None for p in model.parameters()), "__call__" in vars(Fails))
print(sum(p.sum().item() for p in model.parameters()))
model(torch.ones(2, 3))
""",
    )
    texts = ("forward of model.1.0", "after forward of model.*", "gradient of model.*.weight")
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        assert len(met(training)) > 10
        assert training.end() == bare(script)


def test_a_module_within_what_is_compiled_is_told_of_as_one_where_nothing_can_stop(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        BEGIN
        + """
model.layers[1] = torch.compile(model.layers[1], backend="aot_eager")
opt = optim.SGD(model.parameters(), lr=0.05)
for i in range(3):
    cost(model(x), y).backward()
    opt.step()
from torch._dynamo.utils import counters
print(dict(counters["stats"]), dict(counters["graph_break"]))
"""
        + END,
    )
    expected = bare(script, cold=True)
    texts = ("forward of model.layers.1._orig_mod.attn", "forward of model.layers.0.attn at update 2")
    with debuggee(script, go="continue", breakpoints=points(*texts), cold=True) as training:
        assert [unit_of(stop)[3] for stop in met(training)] == ["model.layers.0.attn"]
        assert training.notices == [
            "no breakpoint is met at model.layers.1._orig_mod.attn: what torch.compile has compiled is one call"
        ]
        assert training.end() == expected


def test_what_a_module_or_a_gradient_is_called_is_checked_before_it_is_set(folder: Path) -> None:
    script = write(folder, BEGIN + SCRIPTS["textbook"])
    unmet = points("forward of model.layers.*.atn", "gradient of model.head.wait", "gradient of model.head.weight")
    with debuggee(script, breakpoints=unmet) as training:
        stop = training.stop()
        while stop is not None and stop.boundary.update < 3:
            stop = training.go("next")
        assert stop is not None
        assert stop.unmet == (1, 2)
        ask = lambda text: training.ask(m.CheckBreakpoint(text))  # noqa: E731
        found = ask("after forward of model.layers.*")
        assert found.matches[:2] == ("model.layers.0", "model.layers.0.attn")
        assert (len(found.matches), found.more) == (6, 0)
        assert ask("forward of model.haed").unknown == "nothing is called model.haed yet; did you mean model.head?"
        found = ask("gradient of model.layers.*.weight")
        assert found.matches[0] == "model.layers.0.attn.weight"
        assert ask("gradient of model.head.wieght").unknown.endswith("did you mean model.head.weight?")
        assert ask("forward of modl.layer.*").unknown.endswith("did you mean model.layers.*?")
        assert ask("forward of model.xyzzy.*").unknown == "nothing is called model.xyzzy.* yet"
        assert isinstance(ask("before gradient of model.head.weight"), m.Refusal)


def test_what_names_nothing_is_told_in_a_free_run_with_the_nearest_name(folder: Path) -> None:
    texts = ("forward of model.haed", "gradient of model.head.wait", "when model.head.wieght changes",
             "forward of mode", "after forward of model.head every 90")  # fmt: skip
    with debuggee(write(folder, BEGIN + SCRIPTS["textbook"]), go="continue", breakpoints=points(*texts)) as training:
        assert not met(training)
    assert sorted(training.problems) == [
        "nothing is called mode yet; did you mean model?",
        "nothing is called model.haed yet; did you mean model.head?",
        "nothing is called model.head.wait yet; did you mean model.head.weight?",
        "nothing is called model.head.wieght yet; did you mean model.head.weight?",
    ]


def test_a_model_that_is_made_later_is_met_and_what_was_told_of_its_name_is_taken_back(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        BEGIN
        + SCRIPTS["textbook"]
        + """
late = nn.Sequential(nn.Linear(4, 1))
opt = optim.SGD(late.parameters(), lr=0.05)
for i in range(2):
    opt.zero_grad()
    loss = cost(late(x), y)
    loss.backward()
    opt.step()
""",
    )
    texts = ("forward of late.0", "when late.0.weight changes")
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        stops = met(training)
    assert [(stop.boundary.done, stop.boundary.inside) for stop in stops] == [
        (None, ("forward",)),
        ("step", ()),
        (None, ("forward",)),
    ]
    told, taken_back = [one for one in training.problems if one], training.problems.count("")
    assert [" ".join(words.split()[:5]) for words in sorted(told)] == [
        "nothing is called late.0 yet",
        "nothing is called late.0.weight yet;",
    ]
    assert taken_back == 2


@pytest.mark.parametrize("text", [*POINTS, "eval of model.head", "before forward of model.fc1"])
def test_what_is_told_of_a_breakpoint_is_read_back_to_the_same_one(text: str) -> None:
    assert parse(describe(parse(text))) == parse(text)
