"""Active probes run the script's own model again in a copy: the main line goes on as it would without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, bare, debuggee

from stepdbg.commands.check.rule_names import PROBES, chosen_rules, rule_names
from stepdbg.protocol.messages import Tracing

SCRIPT = """\
import random, sys
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
random.seed(0)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.head, self.calls = nn.Linear(8, 3), 0

    def forward(self, x):
        self.calls += 1
        WHAT
        return self.head(self.drop(torch.relu(self.norm(self.layer(x)))))


model = Counting()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randint(3, (32,))), batch_size=8, shuffle=True)
for x, y in loader:
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item(), torch.rand(1).item(), random.random(), model.calls, model.training)
print(model.norm.running_mean.sum().item(), len(optimizer.state))
"""


def probed(script: Path) -> tuple[Debuggee, str]:
    with debuggee(str(script), go="continue", trace=Tracing(updates=100, rules=tuple(PROBES))) as training:
        list(training.stops("continue"))
        return training, training.end()[1]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "train.py"


def test_a_probe_changes_nothing_of_the_training(script: Path) -> None:
    script.write_text(SCRIPT.replace("WHAT", "pass"))
    training, output = probed(script)
    assert output == bare(str(script))[1]
    assert not training.found
    assert training.checked is not None
    assert training.checked.right[0].startswith("the loss of one batch falls when it is trained on alone")
    assert training.checked.right[1] == "samples of a batch do not mix"
    assert not training.checked.unchecked


def test_a_forward_that_writes_a_file_is_not_made_again(script: Path) -> None:
    log = f"{script}.log"
    script.write_text(SCRIPT.replace("WHAT", f"print(self.calls, file=open({log!r}, 'a'), flush=True)"))
    training, output = probed(script)
    assert len(output.splitlines()) == 5
    assert Path(log).read_text() == "1\n2\n3\n4\n"
    assert training.checked is not None
    assert not training.found
    assert all("would be written a second time" in words for words in training.checked.unchecked)
    assert len(training.checked.unchecked) == len(PROBES)


def test_a_probe_runs_only_where_it_was_asked_for() -> None:
    assert not PROBES.keys() & {*rule_names(), *chosen_rules((), ())}
    assert chosen_rules((), (), probes=("sample-leak",)) == (*rule_names(), "sample-leak")
    assert chosen_rules(("sample-leak",), ()) == ("sample-leak",)
    assert chosen_rules(("stale-gradients",), (), probes=["loss-not-decreasing"])[1] == "loss-not-decreasing"
