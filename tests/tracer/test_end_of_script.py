"""What the last boundary tells of the time since the one before: a loss that was only foretold is no phase."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol.messages import Stop, Tracing
from stepdbg.tui.words.sentence import sentence

BEGIN = """
import torch
from torch import nn, optim
from torch.nn import functional as F
torch.manual_seed(0)
class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.label, self.number = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(6, 1)
    def forward(self, x):
        hidden = self.body(x).relu()
        return self.label(hidden), self.number(hidden)
net = TwoHeads()
x = torch.randn(12, 4); labels, numbers = torch.randint(0, 3, (12,)), torch.randn(12, 1)
opt = optim.SGD(net.parameters(), lr=0.01)
def update():
    label, number = net(x)
    loss = F.cross_entropy(label, labels) + F.mse_loss(number, numbers)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
EVALUATIONS = {
    "an accuracy": "accuracy = (net(x)[0].argmax(1) == labels).float().mean()",
    "a call whose output is kept": "output = net(x)",
    "a loss that nothing is learned from": "F.mse_loss(net(x)[1], numbers).item()",
    "two calls": "net(x); net(x)",
    "a call, and one without gradients": "net(x)\nwith torch.no_grad(): net(x)",
}
LOOPS = {
    "after the loop": "for i in range(3): update()\n",
    "after every update": "for i in range(3):\n    update()\n    right = (net(x)[0].argmax(1) == labels).sum()\n",
}


def last_of(script: str) -> tuple[Stop, Stop]:
    """The stop at the end of a script: where it was stepped through, and where nobody looked."""
    with debuggee(script) as training:
        *_, stepped = training.stops()
    with debuggee(script, go="continue") as training:
        *_, free = training.stops("continue")
    return stepped, free


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_no_loss_is_told_of_where_a_script_ends_after_an_evaluation_with_gradients(
    evaluation: str, loop: str, tmp_path: Path
) -> None:
    stepped, free = last_of(write(tmp_path, f"{BEGIN}{LOOPS[loop]}{EVALUATIONS[evaluation]}\n"))
    for end in (stepped, free):
        assert end.boundary.done != "loss"
        assert [phase.name for phase in end.phases].count("loss") == 1
    assert [phase.name for phase in free.phases] == [phase.name for phase in stepped.phases]
    assert sentence(stepped).endswith("the script has ended")
    assert "loss changed" not in sentence(stepped)


def test_what_a_script_does_after_its_last_evaluation_is_told_as_its_own(tmp_path: Path) -> None:
    script = write(tmp_path, f"{BEGIN}update()\nF.mse_loss(net(x)[1], numbers).item()\nnet.body.weight.data.add_(1)\n")
    stepped, _ = last_of(script)
    assert sentence(stepped) == "the script has ended; before that, it changed net.body.weight"
    with debuggee(script, go="continue", trace=Tracing(effects=True)) as training:
        list(training.stops("continue"))
    assert [(one.object, one.what) for one in training.traced[-1].effects or ()] == [("net.body.weight", "changed")]


def test_what_has_changed_since_the_last_stop_is_told_where_the_script_ends_after_an_evaluation(tmp_path: Path) -> None:
    script = write(tmp_path, f"{BEGIN}update()\nupdate()\nnet(x)\n")
    with debuggee(script) as training:
        training.stop()
        end = training.go("continue")
    assert end is not None
    assert sentence(end).startswith("the script has ended. Since the last stop, at update 1: ")
    assert "6 parameters changed" in sentence(end)


def test_a_loss_that_fails_is_where_the_exception_was_raised(tmp_path: Path) -> None:
    script = write(tmp_path, f"{BEGIN}update()\nF.mse_loss(net(x)[1], torch.ones(5, 2))\n")
    for end in last_of(script):
        assert end.boundary.inside == ("loss",)
