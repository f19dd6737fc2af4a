"""A NaN put into training anywhere stops it at the first boundary after, and what has produced it is named."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from tracer.bare_hub import bare, debuggee, write
from tracer.test_breakpoints_met import BEGIN as LOOPS_BEGIN
from tracer.test_breakpoints_met import SCRIPTS

from stepdbg.protocol.breakpoint_text import parse

NAN = (msgspec.structs.replace(parse("nan"), number=1),)
BEGIN = """
import torch
from torch import nn, optim
import torch.nn.functional as F
torch.manual_seed(0)
x, y = torch.randn(8, 4), torch.randn(8, 1)
class Part(nn.Module):
    def __init__(self, does):
        super().__init__()
        self.does = does
    def forward(self, h):
        return self.does(h)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = optim.SGD(net.parameters(), lr=0.05)
"""
LOOP = """
for i in range(5):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    opt.step()
"""
ADAM = LOOP.replace("opt.step()", "opt.step(){}").replace("for i", "opt = optim.Adam(net.parameters())\nfor i")


class Place(NamedTuple):
    """Where something is put into training that is not finite, and what is to be told of it."""

    script: str
    done: str | None
    next: str
    object: str
    producer: str
    why: str = ""
    module: str = ""
    line: str = ""
    """The text of the line that is named."""
    update: int = 3
    rows: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()


def in_middle(definition: str, more: str = "") -> str:
    """A model with something of its own between two layers."""
    middle = "net = nn.Sequential(nn.Linear(4, 6), Part(middle), nn.Linear(6, 1))\n"
    return f"{definition}\n{middle}opt = optim.SGD(net.parameters(), lr=0.05)\n{more or LOOP}"


QUOTIENT = """
def middle(h):
    if i == 2: h = h * (torch.arange(8) != 3)[:, None]
    return h / h.abs().sum(1, keepdim=True)
"""
SOFTMAX = """
def middle(h):
    if i == 2: h = h.masked_fill((torch.arange(8) == 1)[:, None], float('-inf'))
    return h.softmax(1)
"""
OVERFLOW = """
def middle(h):
    h = h.bfloat16() * (3e38 if i == 2 else 1) * 10
    return (h - h.amax()).float()
"""
PLACES = {
    "a row of the data": Place(
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "x[5, 2] = float('nan')\n"
        "for xb, yb in DataLoader(TensorDataset(x, y), batch_size=4):\n"
        "    opt.zero_grad(); loss = F.mse_loss(net(xb), yb); loss.backward(); opt.step()\n",
        "data", "zero_grad", "xb", "the loader", update=2, rows=(1,), samples=(5,),
    ),
    "an activation, 0/0": Place(
        in_middle(QUOTIENT),
        "forward", "loss", "output", "div", "0 / 0 at [3, 0]", "net.1", "return h / h.abs()", rows=(3,),
    ),
    "log(0)": Place(
        LOOP.replace("F.mse_loss(net(x), y)", "-torch.log(torch.sigmoid(net(x)) * (i != 2)).mean()"),
        "loss", "backward", "loss", "log", "log(0) at [0, 0]",
    ),
    "sqrt in backward": Place(
        in_middle("def middle(h):\n    h = h.abs() * (1.0 if i != 2 else 0.0)\n    return h.sqrt()"),
        "backward", "step", "net.0.bias.grad", "SqrtBackward0", "its result is 0", "net.1", "return h.sqrt()",
    ),
    "softmax of nothing but -inf": Place(
        in_middle(SOFTMAX),
        "forward", "loss", "output", "softmax", "all 6 values of its row [1] are -inf", "net.1", "return h.softmax",
        rows=(1,),
    ),
    "the loss": Place(
        LOOP.replace("    loss.backward", "    loss = loss * float('nan' if i == 2 else 1)\n    loss.backward"),
        "loss", "backward", "loss", "mul",
    ),
    "a gradient, through a hook": Place(
        "net[2].weight.register_hook(lambda grad: grad * (float('nan') if i == 2 else 1))\n" + LOOP,
        "backward", "step", "net.2.weight.grad", "a gradient hook", "net.2.weight",
    ),
    "a weight": Place(
        LOOP + "    if i == 2:\n        with torch.no_grad(): net[0].weight[1, 2] = float('nan')\n",
        "step", "zero_grad", "net.0.weight", "the script",
    ),
    "Adam's second moment": Place(
        ADAM.format("\n    if i == 2: opt.state[net[0].weight]['exp_avg_sq'][1, 2] = float('nan')"),
        "step", "zero_grad", "opt.state[net.0.weight].exp_avg_sq", "the script",
    ),
    "Adam's second moment, below zero": Place(
        ADAM.format("\n    if i == 1: opt.state[net[0].weight]['exp_avg_sq'][1, 2] = -1"),
        "step", "zero_grad", "net.0.weight", "step of opt", "its exp_avg_sq is -0.99",
    ),
    "the learning rate, infinite": Place(
        LOOP + "    if i == 1: opt.param_groups[0]['lr'] = float('inf')\n",
        "step", "zero_grad", "net.0.weight", "step of opt", "its lr is inf",
    ),
    "the learning rate, NaN": Place(
        LOOP + "    if i == 2: opt.param_groups[0]['lr'] = float('nan')\n",
        "step", "zero_grad", "opt.param_groups[0]['lr']", "the script",
    ),
    "a checkpointed region": Place(
        "from torch.utils.checkpoint import checkpoint\n"
        + in_middle(
            "def inside(h):\n    return h / (h - h * (i == 2)).abs().clamp(max=1).mul(i != 2)\n"
            "def middle(h):\n    return checkpoint(inside, h * (i != 2), use_reentrant=False)"
        ),
        "forward", "loss", "output", "div", "0 / 0 at [0, 0]", "net.1", "return h / (h - h",
    ),
    "a checkpointed region, in backward": Place(
        "from torch.utils.checkpoint import checkpoint\n"
        + in_middle(
            "def inside(h):\n    return h.abs().mul(i != 2).sqrt()\n"
            "def middle(h):\n    return checkpoint(inside, h, use_reentrant=True)"
        ),
        "backward", "step", "net.0.bias.grad", "SqrtBackward0", "its result is 0",
    ),
    "an autograd.Function": Place(
        "class Twice(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, h): return 2 * h\n"
        "    @staticmethod\n    def backward(ctx, grad): return 2 * grad * (float('nan') if i == 2 else 1)\n"
        + in_middle("def middle(h):\n    return Twice.apply(h)"),
        "backward", "step", "net.0.bias.grad", "TwiceBackward", module="net.1", line="def forward(ctx, h)",
    ),
    "an overflow of bfloat16": Place(
        in_middle(OVERFLOW),
        "forward", "loss", "output", "sub", "had made the infinity", "net.1", "return (h - h.amax())",
    ),
    "labels none of which counts": Place(
        "net[2] = nn.Linear(6, 3)\nopt = optim.SGD(net.parameters(), lr=0.05)\n"
        "labels = torch.randint(0, 3, (8,))\n"
        + LOOP.replace("F.mse_loss(net(x), y)", "F.cross_entropy(net(x), labels if i != 2 else labels.fill_(-100))"),
        "loss", "backward", "loss", "nll_loss", "all 8 labels are -100",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_it_is_caught_at_the_first_boundary_after_and_its_producer_named(name: str, tmp_path: Path) -> None:
    wanted = PLACES[name]
    script = write(tmp_path, BEGIN + wanted.script)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "nan", (stop, training.notices)
        bad, boundary = stop.bad, stop.boundary
        assert bad is not None
        assert bad.producer is not None, bad
        found = (boundary.done, boundary.next, boundary.update, bad.object, bad.producer.what, bad.rows, bad.samples)
        assert found == (
            wanted.done, wanted.next, wanted.update, wanted.object, wanted.producer, wanted.rows, wanted.samples,
        ), stop.detail  # fmt: skip
        assert wanted.why in bad.producer.why, stop.detail
        assert wanted.module in ("", bad.producer.module), stop.detail
        if wanted.line:
            assert wanted.line in Path(bad.producer.file).read_text().splitlines()[bad.producer.line - 1]
        assert not training.notices


LEGAL = {
    "a mask of -inf": in_middle(
        "mask = torch.full((8, 8), float('-inf')).triu(1)\ndef middle(h):\n    return (h @ h.T + mask).softmax(1) @ h"
    ),
    "an output of -inf": LOOP.replace("net(x)", "net(x).masked_fill(torch.arange(8)[:, None] > 3, 0)").replace(
        "for i", "net.append(Part(lambda h: h.masked_fill(torch.arange(8)[:, None] > 3, float('-inf'))))\nfor i"
    ),
    "a scaler's infinite gradients": """
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
for i in range(5):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(opt)
    scaler.update()
""",
    "an infinity in the batch": """
for i in range(3):
    opt.zero_grad()
    z = torch.cat([x, torch.full((1, 4), float("inf"))])
    loss = F.mse_loss(net(z.clamp(max=1)), torch.zeros(9, 1))
    loss.backward()
    opt.step()
""",
}
SAY = "\nprint([one.tolist() for one in net.parameters()], torch.rand(1).item())\n"


@pytest.mark.parametrize("name", LEGAL)
def test_an_infinity_that_is_meant_is_not_stopped_at(name: str, tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + LEGAL[name] + SAY)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "exit", stop.detail
        training.go("continue")
        assert training.end() == bare(script)


@pytest.mark.parametrize("name", ["an activation, 0/0", "sqrt in backward", "an autograd.Function", "a weight"])
def test_training_goes_on_as_if_nobody_had_looked(name: str, tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + "print('begin')\n" + PLACES[name].script + SAY)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        reasons = [stop.reason for stop in training.stops("continue")]
        assert reasons == ["nan", "exit"]
        assert training.end() == bare(script)


def test_after_a_repair_the_next_bad_value_is_stopped_at(tmp_path: Path) -> None:
    text = LOOP.replace("range(5)", "range(9)") + (
        "    with torch.no_grad():\n"
        "        if i in (1, 5): net[0].weight[0, 0] = float('nan')\n"
        "        if i == 2:\n            for one in net.parameters(): one.copy_(torch.randn(one.shape))\n"
    )
    with debuggee(write(tmp_path, BEGIN + text), go="continue", breakpoints=NAN) as training:
        stops = [stop for stop in training.stops("continue") if stop.reason == "nan"]
        assert [stop.boundary.update for stop in stops] == [2, 6]


DTENSOR = """
import os, torch.distributed as dist
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.device_mesh import init_device_mesh
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
class Split(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(distribute_tensor(torch.randn(4, 6), mesh, [Shard(1)]))
    def forward(self, h):
        h = distribute_tensor(h, mesh, [Replicate()]) @ self.weight
        return (h * (i != 2) / (h - h * (i == 2)).abs()).full_tensor()
net = Split()
opt = optim.SGD(net.parameters(), lr=0.05)
for i in range(5):
    opt.zero_grad()
    loss = net(x).square().mean()
    loss.backward()
    opt.step()
"""


def test_in_a_model_of_dtensors_the_operator_is_read_off_the_graph(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, BEGIN + DTENSOR), go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert (stop.reason, stop.boundary.done, stop.boundary.update) == ("nan", "forward", 3)
        assert stop.bad is not None
        assert stop.bad.producer is not None, stop.detail
        assert (stop.bad.object, stop.bad.producer.what) == ("output", "div")


def test_where_the_call_cannot_be_made_again_the_region_is_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    text = PLACES["sqrt in backward"].script
    script = write(tmp_path, BEGIN + "import os\ndel os.fork\n" + text)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.bad is not None
        assert stop.boundary.done == "backward"
        assert "made by" not in stop.detail
        assert "the gradient of net.2.bias is finite, that of net.0." in stop.detail, stop.detail
        assert "SqrtBackward0" in stop.detail


def test_a_root_of_zero_in_the_loss_is_named(tmp_path: Path) -> None:
    text = LOOP.replace("F.mse_loss(net(x), y)", "((net(x) - y).square().sum() * (i != 2)).sqrt()")
    with debuggee(write(tmp_path, BEGIN + text), go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.bad is not None
        assert stop.bad.producer is not None, stop.detail
        assert (stop.boundary.done, stop.bad.producer.what) == ("backward", "SqrtBackward0")
        assert "the result of sqrt is 0" in stop.bad.producer.why


OF_A_TARGET = {
    "output alive": ("out = net(x); loss = (out - target).square().mean()", "most likely it is what sub was given"),
    "a mean in between": ("out = net(x); loss = (out - target).mean()", "most likely it is what sub was given"),
    "joined": ("out = net(x); loss = torch.cat([out, target]).mean()", "most likely it is what cat was given"),
    "output gone": ("loss = (net(x) - target).square().mean()", "may be any of addmm, or what sub was given"),
}


@pytest.mark.parametrize("name", OF_A_TARGET)
def test_a_target_that_no_graph_leads_to_is_not_put_down_to_the_model(name: str, tmp_path: Path) -> None:
    loss, words = OF_A_TARGET[name]
    text = f"""
for i in range(5):
    opt.zero_grad()
    target = y.log() if i == 2 else y  # of what is below 0 it is NaN
    {loss}
    loss.backward()
    opt.step()
"""
    with debuggee(write(tmp_path, BEGIN + text), go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.bad is not None
        assert (stop.boundary.done, stop.boundary.update, stop.bad.object) == ("loss", 3, "loss")
        assert stop.bad.producer is None
        assert words in stop.detail, stop.detail


KEPT = {
    "mse_loss": "loss = F.mse_loss(net(x), target)",
    "mul": "loss = (net(x) * target).sum()",
    "binary_cross_entropy_with_logits": "loss = F.binary_cross_entropy_with_logits(net(x), target)",
}


@pytest.mark.parametrize("operator", KEPT)
def test_a_nan_that_a_kept_target_held_is_said_to_come_in_and_not_to_be_made(operator: str, tmp_path: Path) -> None:
    text = f"""
for i in range(4):
    opt.zero_grad()
    target = y * float("nan") if i == 2 else y
    {KEPT[operator]}
    loss.backward()
    opt.step()
"""
    with debuggee(write(tmp_path, BEGIN + text), go="continue", breakpoints=NAN) as training:
        stop = training.stop()
    assert stop is not None
    assert (stop.boundary.done, stop.boundary.update) == ("loss", 3)
    assert f"Came in at {operator}" in stop.detail, stop.detail
    assert "held it already" in stop.detail
    assert "ade by" not in stop.detail


SCALED = """
scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
for i in range(12):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    scaler.scale(loss).backward()
    if i >= 3: net[0].weight.grad[0, 0] = float("nan")
    scaler.step(opt)
    scaler.update()
"""


def test_gradients_that_are_bad_at_a_scale_of_one_are_no_scaler_s_doing(tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + SCALED)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "nan"
        assert (stop.boundary.update, stop.boundary.next) == (6, "step"), stop.detail


HEALTHY = """
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.checkpoint import checkpoint
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.fc = nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 6)
        self.calls = 0
    def forward(self, h):
        self.calls += 1
        return checkpoint(lambda one: self.fc(self.drop(self.norm(one)).relu()), h, use_reentrant=False)
net = nn.Sequential(nn.Linear(4, 6), Block(), nn.Linear(6, 1))
opt = optim.AdamW(net.parameters(), lr=0.05)
sched = optim.lr_scheduler.StepLR(opt, 2, 0.5)
net[2].weight.register_hook(lambda grad: print("hook", grad.sum().item()))
for epoch in range(3):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True):
        opt.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            out = net(xb)
        loss = F.mse_loss(out.float(), yb)
        loss.backward()
        print(nn.utils.clip_grad_norm_(net.parameters(), 0.1).item(), out.grad_fn.name(), out._backward_hooks)
        opt.step()
    sched.step()
    net.eval()
    with torch.no_grad(): print(net(x).sum().item())
    net.train()
    slope = torch.func.vmap(torch.func.grad(lambda one: F.mse_loss(net[0](one), torch.zeros(6))))(x)
    print(slope.sum().item(), net[1].calls)
"""


def test_a_healthy_training_prints_what_it_prints_bare(tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + HEALTHY + SAY)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        assert [stop.reason for stop in training.stops("continue")] == ["exit"]
        assert training.end() == bare(script)
        assert not training.notices


def test_what_is_looked_into_again_runs_nowhere_but_in_a_child(tmp_path: Path) -> None:
    definition = (
        "import os\ndef middle(h):\n    global seen\n    seen += 1\n    print('in', os.getpid() == mine)\n"
        "    open(folder + '/out', 'a').write('x') if os.getpid() == mine else None\n"
        "    return h / (h - h * (i == 2)).abs() * (i != 2)\nseen, mine = 0, os.getpid()\n"
        f"folder = {str(tmp_path)!r}\n"
    )
    text = in_middle(definition) + "print(seen)\n"
    with debuggee(write(tmp_path, BEGIN + text), go="continue", breakpoints=NAN) as training:
        stops = list(training.stops("continue"))
        assert [stop.reason for stop in stops] == ["nan", "exit"]
        assert "div" in stops[0].detail
        _, out, err = training.end()
        assert (out, err) == ("in True\n" * 5 + "5\n", "")


COST = "def cost(pred, target): return (pred - target).square().mean()"
SPOILT = """losses = 0
def cost(pred, target):
    global losses
    losses += 1
    return (pred - target).square().mean() * (0.0 if losses == 4 else 1.0) / (0.0 if losses == 4 else 1.0)
"""


@pytest.mark.parametrize("name", [name for name, text in SCRIPTS.items() if "cost(" in text])
def test_in_any_loop_the_fourth_loss_is_stopped_at_and_training_ends_as_bare(name: str, tmp_path: Path) -> None:
    assert COST in LOOPS_BEGIN
    script = write(tmp_path, LOOPS_BEGIN.replace(COST, SPOILT) + SCRIPTS[name] + "\nlost = losses\n" + SAY)
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stops = list(training.stops("continue"))
        assert [stop.reason for stop in stops] == ["nan", "exit"]
        assert stops[0].boundary.next == "backward"
        assert "is NaN. Made by div" in stops[0].detail
        assert training.end() == bare(script)


REACHES = """
import mmap, os
log = open("log", "w")
numbers = open("numbers")
shared = torch.zeros(1).share_memory_()
raw = mmap.mmap(-1, 8)
def middle(h):
    {reach}
    if i == 2: h = h * (torch.arange(8) != 3)[:, None]
    return h / h.abs().sum(1, keepdim=True)
"""
REACHING = {
    "writes to a file of its own": ("log.write(f'{i} ' * 9000); log.flush()", "div"),
    "reads on in a file": ("print(numbers.read(2), os.read(numbers.fileno(), 1), file=log)", "div"),
    "counts in memory that is shared": ("shared.add_(1)", ""),
    "counts in bytes that are shared": ("raw[0] += 1", ""),
    "makes a file": ("open(f'made{i}', 'a').write('x')", ""),
    "removes a file": ("os.path.exists(f'old{i}') and os.remove(f'old{i}'); open(f'old{i}', 'x').close()", ""),
    "starts a program": ("os.system('echo x >> told')", ""),
}


@pytest.mark.parametrize("what", REACHING)
def test_a_call_that_is_made_again_does_nothing_outside_of_its_process_again(what: str, tmp_path: Path) -> None:
    reach, producer = REACHING[what]
    end = "\nlog.close(); print(shared, raw[0], os.lseek(numbers.fileno(), 0, os.SEEK_CUR), numbers.read(5))\n"
    middle = REACHES.replace("{reach}", reach)
    text = BEGIN + in_middle(middle) + end

    def folder(name: str) -> tuple[Path, str]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "numbers").write_text("0123456789" * 5)
        return tmp_path / name, write(tmp_path / name, f"import os; os.chdir(os.path.dirname(__file__))\n{text}")

    def left(place: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in place.iterdir() if path.is_file() and path.suffix != ".py"}

    alone, script = folder("bare")
    expected = bare(script)
    assert expected[0] == 0
    here, script = folder("looked at")
    with debuggee(script, go="continue", breakpoints=NAN) as training:
        stops = [stop for stop in training.stops("continue") if stop.reason == "nan"]
        assert training.end() == expected
    assert left(here) == left(alone)
    (bad,) = [stop.bad for stop in stops]
    assert bad is not None
    assert (bad.producer.what if bad.producer is not None and bad.producer.certain else "") == producer or not producer
