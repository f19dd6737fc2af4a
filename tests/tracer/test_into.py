"""Stepping into phases: which inner stops there are, in which order, and that nothing else comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, bare, counts, debuggee, write

from stepdbg.protocol import messages as m

NET = """
import copy, pickle, sys, traceback, warnings
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
    def forward(self, x, twice=False):
        x = self.fc(x)
        return self.fc(x) if twice else x

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4)))
        self.block = Block()
        self.head = nn.Linear(4, 2)
        self.rare = nn.Linear(4, 2)
    def forward(self, x, rare=False):
        x = self.body(x)
        x = self.block(x, twice=True)
        return self.rare(x) if rare else self.head(x)

def digest(model):
    return hash(tuple(torch.cat([p.detach().reshape(-1) for p in model.state_dict().values()]).tolist()))
"""
TRAIN = (
    NET
    + """
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for update in range(2):
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1])
    optimizer.zero_grad()
    out = model(x, rare=update == 1)
    loss = criterion(out, y)
    loss.backward()
    optimizer.step()
print(digest(model))
"""
)


def units(stops: Iterator[m.Stop]) -> list[str]:
    """The inner stops in words, and the boundaries between them."""
    told = []
    for stop in stops:
        inner, boundary = stop.inner, stop.boundary
        if inner is None:
            told.append(f"before {boundary.next}")
        else:
            assert boundary.inside
            assert boundary.done is None
            assert boundary.next is None
            again = f" #{inner.nth}" if inner.nth > 1 else ""
            told.append(f"{boundary.inside[-1]}: {inner.cls or inner.unit} {inner.name}{again}")
    return told


def first(training: Debuggee, phase: str, order: m.Go = "into") -> m.Stop:
    """The first inner stop of that phase."""
    stop = training.stop()
    while stop is not None and stop.boundary.next != phase:
        stop = training.go("next")
    stop = training.go(order)
    assert stop is not None
    return stop


def test_every_phase_is_gone_through_in_order_and_the_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    script = write(tmp_path, TRAIN)
    with debuggee(script) as training:
        told = units(training.stops("into"))
        assert training.end() == bare(script)
        assert not training.notices
    forward = [
        "forward: Linear model.body.0",
        "forward: ReLU model.body.1.0",
        "forward: BatchNorm1d model.body.1.1",
        "forward: Sequential model.body.1",
        "forward: Sequential model.body",
        "forward: Linear model.block.fc",
        "forward: Linear model.block.fc #2",
        "forward: Block model.block",
    ]
    gradients = [
        *(f"backward: gradient model.{name}" for name in ("block.fc.bias", "block.fc.weight")),
        *(f"backward: gradient model.body.1.1.{name}" for name in ("weight", "bias")),
        *(f"backward: gradient model.body.0.{name}" for name in ("bias", "weight")),
    ]
    order = ("body.0", "body.1.1", "block.fc")
    steps = [f"step: Adam model.{name}.{kind}" for name in order for kind in ("weight", "bias")]
    rounds = [
        [
            "before zero_grad",
            "before forward",
            *forward,
            f"forward: Linear model.{head}",
            "before loss",
            "loss: CrossEntropyLoss criterion",
            "before backward",
            f"backward: gradient model.{head}.bias",
            f"backward: gradient model.{head}.weight",
            *gradients,
            "before step",
            *steps,
            f"step: Adam model.{head}.weight",
            f"step: Adam model.{head}.bias",
        ]
        for head in ("head", "rare")
    ]
    # (in the second update `head` has no gradient, but is in the optimizer still)
    assert [line for line in told if "head" not in line or line in rounds[0]] == [*rounds[0], *rounds[1], "before None"]


def test_a_module_is_told_of_with_what_went_in_and_what_came_out_and_they_can_be_looked_at(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TRAIN)) as training:
        stop = first(training, "forward")
        assert stop.inner is not None
        out, given = stop.inner.tensors
        assert (out.label, out.shape, out.dtype, given.label, given.shape) == (
            "output",
            (5, 4),
            "float32",
            "input",
            (5, 3),
        )
        assert out.statistics is not None
        assert out.statistics.norm
        assert given.object == "x"
        assert (stop.boundary.file or "").endswith("script.py")
        assert stop.frames[0].library
        view = training.ask(m.LookAt(out.object, rows=5, columns=4))
        assert isinstance(view, m.TensorView)
        assert view.statistics == out.statistics
        assert [part.label for part in view.parts] == ["output", "input"]
        assert view.grad_fn == "AddmmBackward0"
        later = training.go("next")
        assert later is not None
        assert later.boundary.done == "forward"
        assert counts(later)["buffer", "changed"] == 3  # of the whole phase, whatever stops lay in it
        assert isinstance(training.ask(m.LookAt(out.object)), m.Refusal)


def test_the_time_at_inner_stops_is_none_of_the_phases(tmp_path: Path) -> None:
    slow = TRAIN.replace("for update in range(2):", "for update in range(3):")
    with debuggee(write(tmp_path, slow)) as training:
        stop = first(training, "forward")
        while stop is not None and stop.boundary.update < 3:
            stop = training.go("next")
        while stop is not None and stop.boundary.next != "forward":
            stop = training.go("next")
        stop = training.go("into")
        training.ask(m.Evaluate(-1, "import time; time.sleep(1.5)"))
        while stop is not None and stop.inner is not None:
            stop = training.go("next")
        assert stop is not None
        assert stop.boundary.ms is not None
        assert stop.boundary.ms < 1000


def test_an_edit_inside_a_phase_is_no_effect_of_it(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TRAIN)) as training:
        first(training, "forward")
        preview = training.ask(m.PreviewEdit("model.rare.bias", "0.5"))
        assert isinstance(preview, m.EditPreview)
        training.ask(m.ApplyEdit(preview.token))
        stop = training.go("next")
        assert stop is not None
        assert "model.rare.bias" not in [one.object for one in stop.effects.named]
        assert counts(stop)["buffer", "changed"] == 3


@pytest.mark.parametrize("order", ["into", "operator"])
def test_going_on_from_inside_leaves_torch_as_it_was(order: m.Go, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        NET
        + """
plain = torch.autograd._engine_run_backward
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for update in range(4):
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1])
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
assert torch.autograd._engine_run_backward is plain
print(nn.Module.__call__.__code__.co_filename)
assert torch._C._len_torch_dispatch_stack() == 0
assert all(p._post_accumulate_grad_hooks is None for p in model.parameters())
print(digest(model))
""",
    )
    for phase in ("forward", "backward", "step"):
        with debuggee(script) as training:
            assert first(training, phase, order).inner is not None
            last = training.go("continue")
            assert last is not None
            assert last.reason == "exit", last.failure
            training.go("continue")
            assert training.end() == bare(script)


def test_a_model_is_copied_and_pickled_in_mid_forward_with_nothing_of_ours(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        NET
        + """
order = []
def after(*_): order.append("after")
def before(*_): order.append("before")
def written(p): order.append("written")
class Copying(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
    def forward(self, x):
        x = self.fc(x)
        twin = pickle.loads(pickle.dumps(self))
        assert sorted(vars(copy.deepcopy(self))) == sorted(vars(twin)) == sorted(vars(self))
        print(sorted(vars(self)), sorted(vars(self.fc)), vars(self.fc.weight), len(pickle.dumps(self)))
        warnings.warn("here", stacklevel=2)
        return x
model = Copying()
model.fc.register_forward_hook(after)
model.fc.register_forward_pre_hook(before)
model.fc.weight.register_post_accumulate_grad_hook(written)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    loss = model(torch.ones(2, 3)).sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print(order, digest(model), len(model.fc.weight._post_accumulate_grad_hooks))
""",
    )
    for order in ("into", "operator"):
        with debuggee(script) as training:
            told = units(training.stops(order))
            assert training.end() == bare(script)
        assert "forward: Linear model.fc" in told


@pytest.mark.parametrize("order", ["into", "operator"])
def test_an_exception_inside_passes_as_ever_and_is_caught_by_the_script(order: m.Go, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        NET
        + """
class Fails(nn.Module):
    def forward(self, x):
        return x @ torch.ones(7)
model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(Fails()))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    try:
        model(torch.ones(2, 3))
    except RuntimeError:
        traceback.print_exc()
    loss = model[0](torch.ones(2, 3)).sum()
    loss.backward()
    optimizer.step()
print(digest(model))
print(nn.Module.__call__.__name__)
model(torch.ones(2, 3))
""",
    )
    with debuggee(script) as training:
        told, last = [], None
        stop = training.stop()
        while stop is not None:
            told.append(stop)
            stop = training.go(order)
        last = told[-1]
        assert last.reason == "exception"
        assert last.boundary.inside == ("forward",)
        assert training.end() == bare(script)
    assert [one.inner.name for one in told if one.inner and one.inner.unit == "module"][:1] == ["model.0"]


def test_a_foreach_step_is_left_as_it_is_and_told_of_when_it_is_over(tmp_path: Path) -> None:
    for how in ("foreach=True", "fused=True"):
        script = write(tmp_path, TRAIN.replace("lr=0.1)", f"lr=0.1, {how})"))
        with debuggee(script) as training:
            stop = first(training, "step")
            names = []
            while stop is not None and stop.inner is not None:
                assert (stop.inner.how, stop.inner.cls) == ("together", "Adam")
                assert stop.inner.change is not None
                assert 0 < stop.inner.change < 1
                names.append(stop.inner.name)
                stop = training.go("into")
            assert len(names) == len(set(names)) == 8
            training.go("continue")
            training.go("continue")
            assert training.end() == bare(script)


def test_gradients_say_whether_they_are_added_and_whether_a_hook_has_freed_them(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        NET
        + """
model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
model[1].bias.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    model(torch.ones(2, 3)).sum().backward()
print([p.grad.sum().item() for p in model.parameters() if p.grad is not None])
""",
    )
    with debuggee(script) as training:
        hows = [(one.inner.name, one.inner.how, one.inner.total) for one in training.stops("into") if one.inner
                and one.inner.unit == "gradient"]  # fmt: skip
        assert training.end() == bare(script)
    assert hows == [
        ("model.1.bias", "gone", 4), ("model.1.weight", "written", 4), ("model.0.bias", "written", 4),
        ("model.0.weight", "written", 4), ("model.1.bias", "gone", 4), ("model.1.weight", "added", 4),
        ("model.0.bias", "added", 4), ("model.0.weight", "added", 4),
    ]  # fmt: skip


def test_operators_are_told_with_the_module_that_they_run_in_and_nodes_with_the_one_they_lead_back_from(
    tmp_path: Path,
) -> None:
    script = write(tmp_path, TRAIN)
    with debuggee(script) as training:
        told = [
            (one.boundary.inside[-1], one.inner.unit, one.inner.name, one.inner.within)
            for one in training.stops("operator")
            if one.inner
        ]
        assert training.end() == bare(script)
    assert ("forward", "operator", "aten.addmm", "model.body.0") in told
    assert ("forward", "operator", "aten.relu", "model.body.1.0") in told
    assert ("forward", "module", "model.block", "") in told
    assert ("backward", "node", "ReluBackward0", "model.body.1.0") in told
    assert ("backward", "gradient", "model.head.weight", "") in told
    assert ("step", "operator", "aten.addcdiv_", "model.head.weight") in told


def test_a_breakpoint_in_the_code_is_an_inner_stop_from_which_one_can_go_further_in(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "import stepdbg\n"
        + TRAIN.replace("        x = self.body(x)\n", "        stepdbg.breakpoint()\n        x = self.body(x)\n"),
    )
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert stop.inner is not None
        assert (stop.inner.unit, stop.boundary.inside) == ("line", ("forward",))
        stop = training.go("into")
        assert stop is not None
        assert stop.inner is not None
        assert stop.inner.name == "model.body.0"


def test_what_counts_records_and_checkpoints_sees_nothing_of_the_looks(tmp_path: Path) -> None:
    """A counter of operators, autocast, activation checkpoints of both kinds, a loop that is a generator."""
    script = write(
        tmp_path,
        "import stepdbg\n"
        + NET
        + """
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode
class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.inner, self.reentrant = Block(), reentrant
    def forward(self, x):
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)
model = nn.Sequential(nn.Linear(3, 4), Checkpointed(True), nn.Dropout(0.5), Checkpointed(False), nn.Linear(4, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
@stepdbg.loop
def train():
    for _ in range(2):
        yield "forward"
        with torch.autocast("cpu", torch.bfloat16), FlopCounterMode(display=False) as counter:
            loss = model(torch.ones(5, 3)).float().square().sum()
        yield "backward"
        loss.backward()
        yield "step"
        optimizer.step()
        optimizer.zero_grad()
        print(counter.get_total_flops(), loss.item())
train()
assert torch._C._len_torch_dispatch_stack() == 0
print(digest(model))
""",
    )
    expected = bare(script)
    for order in ("into", "operator"):
        with debuggee(script) as training:
            told = units(training.stops(order))
            assert training.end() == expected
            assert not training.notices
        assert "forward: Linear model.1.inner.fc" in told
        assert "backward: gradient model.1.inner.fc.weight" in told
        assert "step: AdamW model.0.weight" in told or order == "operator"


def test_what_is_compiled_is_one_call_and_is_compiled_as_ever(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        NET
        + """
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = torch.compile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), backend="aot_eager")
    def forward(self, x):
        return self.second(self.first(x))
model = Outer()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    loss = model(torch.ones(2, 3)).square().sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
from torch._dynamo.utils import counters
print(digest(model), dict(counters["stats"]), dict(counters["graph_break"]))
""",
    )
    expected = bare(script, cold=True)
    assert "unique_graphs': 1" in expected[1]
    with debuggee(script, cold=True) as training:
        told = units(training.stops("into"))
        assert training.end() == expected
        assert training.notices == [
            "stepping into compiled code is not possible: what torch.compile has compiled is one call"
        ]
    forwards = [line for line in told if line.startswith("forward")]
    assert forwards == ["forward: Linear model.first", "forward: OptimizedModule model.second"] * 3
