"""Who owns a tensor: every path that leads to it is told, nothing else is, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m

SCRIPT = """
    import gc, sys, weakref
    import torch
    from torch import nn

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(5, 3)
            self.norm = nn.BatchNorm1d(3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight
            self.loose = nn.Linear(3, 3)
            self.cold = nn.Parameter(torch.ones(2), requires_grad=False)

        def forward(self, x):
            return self.head(self.loose(self.norm(self.embed(x))))

    def train():
        model = Tied()
        found = [model.embed.weight, model.norm.weight]
        norms = [model.norm.weight, model.norm.bias]
        optimizer = torch.optim.Adam([{"params": norms}, {"params": [model.embed.weight]}])
        row = model.loose.weight[0]
        x = torch.tensor([0, 1, 2, 3])
        before = torch.get_rng_state()
        for _ in range(2):
            optimizer.zero_grad()
            y_hat = model(x)
            loss = y_hat.square().mean()
            loss.backward()
            optimizer.step()
        assert torch.equal(before, torch.get_rng_state())
        print([p._version for p in model.parameters()])
        dead = [weakref.ref(t) for t in (loss, y_hat, x, row)]
        del model, found, norms, optimizer, row, x, loss, y_hat
        gc.collect()
        print([ref() for ref in dead])

    train()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, m.Identity]], str]:
    """What is told of some tensors at each boundary of the second update, and what the script printed in the end."""
    asked = (
        "model.embed.weight",
        "model.norm.weight.grad",
        "optimizer.state[model.norm.weight].exp_avg",
        "model.loose.weight",
        "model.cold",
        "model.norm.running_mean",
        "loss",
        "model.nothing",
    )
    found: dict[str, dict[str, m.Identity]] = {}
    with debuggee(write(tmp_path_factory.mktemp("identity"), SCRIPT)) as training:
        for stop in training.stops():
            found[str(stop.boundary.next)] = {name: training.ask(m.Identify(name)) for name in asked}
        status, out, err = training.end()
    assert status == 0, err
    return found, out


Told = tuple[dict[str, dict[str, m.Identity]], str]


def owners(identity: m.Identity, kind: str) -> list[str]:
    return [owner.expression for owner in identity.owners if owner.kind == kind]


def test_a_tied_parameter_is_one_tensor_with_every_path_group_and_variable(told: Told) -> None:
    tied = told[0]["step"]["model.embed.weight"]
    assert owners(tied, "model") == ["model.embed.weight", "model.head.weight"]
    assert owners(tied, "optimizer") == ['optimizer.param_groups[1]["params"][0]']
    assert owners(tied, "variable") == ["found[0]"]
    assert [owner.cls for owner in tied.owners] == ["Embedding", "Linear", "Adam", "train()"]
    assert (tied.shape, tied.dtype, tied.kind) == ((5, 3), "float32", "parameter")


def test_the_gradient_and_the_state_hang_on_it_and_lead_back_to_it(told: Told) -> None:
    of_grad, of_state = (
        told[0]["step"][name] for name in ("model.norm.weight.grad", "optimizer.state[model.norm.weight].exp_avg")
    )
    assert of_grad == of_state
    assert of_grad.object == "model.norm.weight"
    assert [(one.kind, one.object) for one in of_grad.hangs] == [
        ("grad", "model.norm.weight.grad"),
        ("state", "optimizer.state[model.norm.weight].step"),
        ("state", "optimizer.state[model.norm.weight].exp_avg"),
        ("state", "optimizer.state[model.norm.weight].exp_avg_sq"),
    ]
    assert [one.text for one in of_grad.hangs] == ["3", "1", "3", "3"]
    assert of_grad.hangs[0].norm
    freed = told[0]["forward"]["model.norm.weight.grad"]
    assert freed.object == "model.norm.weight"
    assert [one.kind for one in freed.hangs] == ["state"] * 3


def test_it_is_the_same_tensor_at_every_stop(told: Told) -> None:
    seen = {(stop["model.embed.weight"].id, stop["model.embed.weight"].pointer) for stop in told[0].values()}
    assert len(seen) == 1


def test_what_no_optimizer_holds_has_no_such_owner(told: Told) -> None:
    loose, cold = told[0]["step"]["model.loose.weight"], told[0]["step"]["model.cold"]
    for one in (loose, cold):
        assert owners(one, "optimizer") == []
        assert one.optimizers == ("optimizer",)
    assert loose.requires_grad
    assert [one.kind for one in loose.hangs] == ["grad"]
    assert not cold.requires_grad
    assert cold.hangs == ()


def test_a_buffer_a_loss_and_what_is_not_there(told: Told) -> None:
    at_step = told[0]["step"]
    assert owners(at_step["model.norm.running_mean"], "model") == ["model.norm.running_mean"]
    loss = at_step["loss"]
    assert (loss.kind, owners(loss, "variable"), loss.grad_fn) == ("loss", ["loss"], "MeanBackward0")
    assert isinstance(at_step["model.nothing"], m.Refusal)


def test_looking_moved_no_version_and_kept_nothing_alive(told: Told, tmp_path: Path) -> None:
    from tracer.bare_hub import bare

    status, out, err = bare(write(tmp_path, SCRIPT))
    assert status == 0, err
    assert told[1] == out
    assert out.splitlines()[1] == str([None] * 4)
