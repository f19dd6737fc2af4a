"""A free run counts updates as a run that is stepped through: what is called beside the loop opens none in either."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol.messages import Stop

BEGIN = """
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
net, other = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)), nn.Linear(4, 1)
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
def cost(pred, target): return (pred - target).square().mean()
opt = optim.SGD([*net.parameters(), *other.parameters()], lr=0.01)
loader = DataLoader(TensorDataset(x, y), batch_size=4)
"""
FORWARD_FIRST = """
loss = cost(net(x), y) + cost(other(x), y)
opt.zero_grad()
loss.backward()
opt.step()
"""
ZEROED_FIRST = """
opt.zero_grad()
loss = cost(net(x), y) + cost(other(x), y)
loss.backward()
opt.step()
"""
ZEROED_LAST = """
loss = cost(net(x), y) + cost(other(x), y)
loss.backward()
opt.step()
opt.zero_grad()
"""
ACCUMULATED = """
for _ in range(2):
    (cost(net(x), y) + cost(other(x), y)).backward()
opt.step()
opt.zero_grad(set_to_none=False)
"""
IN_A_FUNCTION = """
def fit(x, y):
    out = net(x)
    loss = cost(out, y) + cost(other(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
fit(x, y)
"""
FROM_A_LOADER = """
for xb, yb in loader:
    loss = cost(net(xb), yb) + cost(other(xb), yb)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
ROUNDS = {
    "forward first": FORWARD_FIRST, "zero_grad first": ZEROED_FIRST, "zero_grad last": ZEROED_LAST,
    "accumulated": ACCUMULATED, "in a function": IN_A_FUNCTION, "from a loader": FROM_A_LOADER,
}  # fmt: skip
BESIDE = {
    "nothing": "",
    "the model is called": "net(x)",
    "another model is called": "other(x)",
    "the model is called twice": "net(x); net(x)",
    "the model is evaluated": "net.eval(); cost(net(x), y).item(); net.train()",
    "gradients are zeroed": "opt.zero_grad()",
    "gradients are zeroed and the model is called": "opt.zero_grad(); net(x)",
    "a gradient is looked at": "cost(net(x), y).backward()",
    "a gradient of the input is taken": "torch.autograd.grad(net(x.clone().requires_grad_()).sum(), net[0].weight)",
    "a call fails": "try: net(torch.ones(2, 3))\nexcept RuntimeError: pass",
    "batches are evaluated": "for xb, yb in loader: cost(net(xb), yb).item()",
    "batches are evaluated without gradients": "with torch.no_grad():\n    for xb, yb in loader: net(xb)",
}


def program(round: str, beside: str, *, within: bool) -> str:
    """A training that calls something beside its rounds: after the loop, or after every fifth round within it; and then
    an exception.
    """
    if not within:
        return f"{BEGIN}for i in range(6):{indent(round, '    ')}\n{beside}\nraise ValueError\n"
    beside = indent(beside or "pass", " " * 8)
    return f"{BEGIN}for i in range(11):{indent(round, '    ')}\n    if i % 5 == 0:\n{beside}\nraise ValueError\n"


def told(stop: Stop) -> Any:
    """What a stop says of updates and phases."""
    return (
        stop.boundary.update, stop.boundary.done,
        [one.name for one in stop.phases], [one.name for one in stop.previous],
    )  # fmt: skip


@pytest.mark.parametrize("within", [False, True], ids=["after the loop", "within the loop"])
@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("round", ROUNDS)
def test_what_is_called_beside_the_rounds_is_counted_as_in_a_stepped_run(
    round: str, beside: str, within: bool, tmp_path: Path
) -> None:
    script = write(tmp_path, program(ROUNDS[round], BESIDE[beside], within=within))
    with debuggee(script) as training:
        *_, stepped = training.stops()
    with debuggee(script, go="continue") as training:
        *_, free = training.stops("continue")
    assert told(free) == told(stepped)


UNTOLD = {
    "a function shared with an evaluation after the loop": """
def get_loss(): return cost(net(x), y)
for i in range(8):
    loss = get_loss()
    opt.zero_grad()
    loss.backward()
    opt.step()
get_loss()
""",
    "a function shared with an evaluation within the loop": """
def get_loss(): return cost(net(x), y)
for i in range(13):
    loss = get_loss()
    loss.backward()
    opt.step()
    opt.zero_grad()
    if i % 4 == 3: get_loss()
""",
    "an evaluation in a comprehension": """
def evaluate(): return [cost(net(xb), yb).item() for xb, yb in loader]
for i in range(12):
    cost(net(x), y).backward()
    opt.step()
    opt.zero_grad()
    evaluate() if i % 4 == 0 else None
""",
    "rounds that are given up": """
def batch(i):
    if i in (4, 7): raise RuntimeError
    return x
for i in range(12):
    try:
        loss = cost(net(batch(i)), y)
        opt.zero_grad()
        loss.backward()
        if i == 9: raise RuntimeError
        opt.step()
    except RuntimeError:
        opt.zero_grad()
""",
}


@pytest.mark.parametrize("where", UNTOLD)
def test_free_and_stepped_runs_count_alike_where_the_order_of_phases_would_not_tell(where: str, tmp_path: Path) -> None:
    script = write(tmp_path, f"{BEGIN}{UNTOLD[where]}raise ValueError\n")
    with debuggee(script) as training:
        *_, stepped = training.stops()
    with debuggee(script, go="continue") as training:
        *_, free = training.stops("continue")
    assert told(free) == told(stepped)


def test_after_an_evaluation_whose_output_is_gone_no_loss_of_before_is_taken_for_the_newest(tmp_path: Path) -> None:
    program = f"""{BEGIN}
one, two = optim.SGD(net.parameters(), lr=0.01), optim.SGD(net.parameters(), lr=0.01)
for i in range(6):
    one.zero_grad(); loss = cost(net(x), y); loss.backward(); one.step()
def closure():
    two.zero_grad(); now = cost(net(x), y); now.backward()
    return now
for i in range(12):
    two.step(closure)
    cost(net(x), y).item()
"""
    script = write(tmp_path, program)
    with debuggee(script) as training:
        *_, stepped = training.stops()
    with debuggee(script, go="continue") as training:
        *_, free = training.stops("continue")
    assert (free.boundary.loss, free.loss_name) == (stepped.boundary.loss, stepped.loss_name)
