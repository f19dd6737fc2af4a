"""Where autograd has refused a backward: what was written since it was saved and by whom, what had freed the graph, why
there is none. Nothing is told that is not certain.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m

START = """
import torch
from torch import nn
torch.manual_seed(0)
def head(*sizes):
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 4))
gen, dis = head(), head()
x = torch.randn(8, 4)
"""
GAN = """
opt_g, opt_d = torch.optim.Adam(gen.parameters()), OPTIMIZER(dis.parameters(), 1e-3)
for update in range(40):
    real, fake = dis(x), dis(gen(x))
    d_loss, g_loss = (real - fake).mean(), fake.square().mean()
    opt_d.zero_grad()
    d_loss.backward(retain_graph=True)
    opt_g.zero_grad()
    if update < AT:
        g_loss.backward()
    opt_d.step()
    if update == AT:
        EXTRA
        g_loss.backward()
    opt_g.step()
"""
ONE = """
opt = torch.optim.SGD(gen.parameters(), 0.1)
h = torch.zeros(8, 4)
for update in range(40):
    opt.zero_grad()
    out = gen(x)
    loss = out.square().mean()
    if update == AT:
        BEFORE
    loss.backward()
    if update == AT:
        AFTER
    opt.step()
"""


WITHIN = """
class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
    def forward(self, x):
        BODY
net = nn.Sequential(nn.Sequential(Gate()), nn.Tanh())
opt = torch.optim.SGD(net.parameters(), 0.1)
for update in range(3):
    opt.zero_grad()
    loss = net(x).square().mean()
    loss.backward()
    opt.step()
"""


def of(program: str, at: int, **parts: str) -> str:
    for name, part in {"AT": str(at), "EXTRA": "pass", "BEFORE": "pass", "AFTER": "pass", **parts}.items():
        program = program.replace(name, part)
    return START + program


WRITTEN = "dis.2.weight was written by step of opt_d after the graph had saved it"
RECURRENT = ONE.replace("gen(x)", "gen(x + h); h = out")
REASONS = {
    "Adam": (GAN, {"OPTIMIZER": "torch.optim.Adam"}, WRITTEN),
    "SGD": (GAN, {"OPTIMIZER": "torch.optim.SGD"}, WRITTEN),
    "by nobody knows whom": (
        ONE,
        {"BEFORE": "with torch.no_grad(): gen[2].weight.mul_(1.0)"},
        "gen.2.weight was written after the graph had saved it",
    ),
    "a tensor": (
        ONE,
        {"BEFORE": "h = out.exp(); loss = h.sum(); h += 1"},
        "h was written after the graph had saved it (version 1, saved at 0); line 17 writes it in place",
    ),
    "twice": (ONE, {"AFTER": "loss.backward()"}, "backward had already been called on loss (line 18)"),
    "two of one graph": (
        ONE,
        {"BEFORE": "other = out.exp().mean()", "AFTER": "other.backward()"},
        "the backward of loss{at} had freed what its graph shares with that of other",
    ),
    "two of one graph, one of which keeps nothing of its own": (
        ONE,
        {"BEFORE": "h = out.exp(); other = h.square().mean(); loss = h.mean()", "AFTER": "other.backward()"},
        "the backward of loss{at} had freed what its graph shares with that of other",
    ),
    "three of one graph": (
        ONE,
        {
            "BEFORE": "h = out.exp(); one, loss, other = h.mean(), h.sum(), h.square().mean()\n"
            "        one.backward(retain_graph=True)",
            "AFTER": "other.backward()",
        },
        "an earlier backward of this update had freed part of the graph of other",
    ),
    "a tensor that only a forward held": (
        WITHIN.replace("BODY", "h = torch.sigmoid(self.fc(x)); h += 1; return h"),
        {},
        "a tensor within the model was written after the graph had saved it (version 1, saved at 0); line 15, in "
        "Gate.forward, writes h in place",
    ),
    "no graph, cut in a forward": (
        WITHIN.replace("BODY", "return self.fc(x).detach()"),
        {},
        "loss has no graph: line 15, in Gate.forward, cuts it by detach()",
    ),
    "no graph, under a with of a function": (
        ONE,
        {
            "BEFORE": "def predict():\n            with torch.no_grad():\n                return gen(x)\n"
            "        loss = predict().mean()"
        },
        "loss has no graph: line 18, in predict, computes under no_grad()",
    ),
    "no graph, a function that records nothing": (
        ONE,
        {
            "BEFORE": "@torch.no_grad()\n        def predict():\n            return gen(x)\n"
            "        loss = predict().mean()"
        },
        "loss has no graph: line 17, in predict, computes under no_grad() or the like",
    ),
    "no graph, an index": (
        ONE,
        {"BEFORE": "loss = out.argmax(1).float().mean()"},
        "loss has no graph: line 17 makes it by argmax()",
    ),
    "no graph": (ONE, {"BEFORE": "loss = loss.detach()"}, "loss has no graph: line 17 makes it by detach()"),
    "no graph behind what it was made of": (
        ONE,
        {"BEFORE": "with torch.no_grad(): out = gen(x)\n        loss = out.detach().mean()"},
        "loss has no graph: line 17 makes out under no_grad()",
    ),
    "nothing to record": (ONE, {"BEFORE": "loss = h.mean() * 2"}, "loss was computed with nothing recorded"),
    "a number": (ONE, {"BEFORE": "loss = out.argmax()"}, "loss is int64: only floating-point and complex tensors"),
}


def why(tmp_path: Path, program: str, go: m.Go | None) -> m.Failure:
    with debuggee(write(tmp_path, program), go=go) as training:
        last = list(training.stops(go or "next"))[-1]
    assert last.failure is not None, last.reason
    assert training.notices == []
    assert last.boundary.inside == ("backward",)
    return last.failure


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("at", [1, 25])
def test_why_a_backward_was_refused_in_a_free_run(kind: str, at: int, tmp_path: Path) -> None:
    program, parts, expected = REASONS[kind]
    failure = why(tmp_path, of(program, at, **parts), "continue")
    assert failure.why.startswith(expected.replace("{at}", "")), failure.why


@pytest.mark.parametrize("kind", ["Adam", "twice", "two of one graph"])
def test_why_a_backward_was_refused_where_one_steps(kind: str, tmp_path: Path) -> None:
    program, parts, expected = REASONS[kind]
    failure = why(tmp_path, of(program, 1, **parts), None)
    assert failure.why.startswith(expected.split("{at}")[0])
    assert ("(line " in failure.why) is (kind != "Adam")


@pytest.mark.parametrize("go", [None, "continue"])
def test_a_graph_that_goes_back_into_an_earlier_update_is_told_with_it(go: m.Go | None, tmp_path: Path) -> None:
    failure = why(tmp_path, of(RECURRENT, 50), go)
    assert failure.why == "the graph of loss goes back into update 1, whose backward had freed it"


def test_a_loss_of_frozen_parameters_alone_is_told_so(tmp_path: Path) -> None:
    program = WITHIN.replace("BODY", "return self.fc(x)").replace("opt =", "net.requires_grad_(False)\nopt =")
    failure = why(tmp_path, START + program, "continue")
    assert failure.why == "loss has no graph: none of the parameters requires a gradient"


def test_where_several_lines_may_have_written_a_tensor_none_is_blamed(tmp_path: Path) -> None:
    program = WITHIN.replace("BODY", "h = torch.sigmoid(self.fc(x)); h += 1\n        h *= 2; return h")
    assert why(tmp_path, START + program, "continue").why == ""


def test_of_an_error_of_the_script_s_own_no_reason_is_made_up(tmp_path: Path) -> None:
    failure = why(tmp_path, of(ONE, 1, BEFORE="loss.register_hook(lambda grad: 1 / 0)"), None)
    assert (failure.type, failure.why) == ("ZeroDivisionError", "")
