"""A name that a stop shows is one that the console takes, for the very object that is shown."""

from __future__ import annotations

import ast
import struct

import pytest
from tracer.bare_hub import Debuggee, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.python.shown_names import as_python

LOOP = """
    import torch

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)])
            self.scales = torch.nn.ParameterList([torch.nn.Parameter(torch.rand(3))])
            self.parts = torch.nn.ModuleDict({"odd-name": torch.nn.Linear(3, 3)})
            self.norm = torch.nn.BatchNorm1d(3)

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).relu()
            return {"logits": self.norm(self.parts["odd-name"](x)) * self.scales[0], "aux": x}

    def loss_of(out, target):
        return (out["logits"] - target).pow(2).mean()

    def train():
        net = Block()
        opt = torch.optim.Adam([{"params": [*net.parameters()], "lr": 0.01}])
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(6, 3), torch.rand(6, 3)), 2)
        for x, target in loader:
            opt.zero_grad()
            loss_of(net(x), target).backward()
            opt.step()

    torch.manual_seed(0)
    train()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("shown"), LOOP)


def shown(training: Debuggee, stop: m.Stop) -> dict[str, m.TensorView]:
    """Every tensor that the stop names, by its name."""
    names = {row.name for row in training.ask(m.ListObjects()).rows}
    for kind in ("grad", "state", "output", "batch"):
        answer = training.ask(m.ListEffects(stop.boundary.index, kind))
        names |= {effect.object for effect in answer.effects if effect.what != "freed"}
    views = {name: training.ask(m.LookAt(name, rows=1, columns=1)) for name in names}
    return {name: view for name, view in views.items() if isinstance(view, m.TensorView)}


def first_of(view: m.TensorView) -> float:
    """The first element."""
    return float(struct.unpack(f"<{view.window.format}", view.window.values)[0])


def test_every_name_of_every_stop_is_taken_in_every_frame_for_the_object_shown(script: str) -> None:
    wrong: list[str] = []
    seen: set[str] = set()
    with debuggee(script) as training:
        for stop in training.stops():
            if stop.boundary.update > 1 or not stop.frames:
                break
            views = shown(training, stop)
            for place in range(len(stop.frames)):
                first = ", ".join(f"(*{name}.shape, {name}.detach().reshape(-1)[0].item())" for name in views)
                told = training.ask(m.Evaluate(place, f"[{first}]"))
                assert not told.failure, told.failure
                for (name, view), found in zip(views.items(), ast.literal_eval(told.value), strict=True):
                    if found != (*view.shape, pytest.approx(first_of(view))):
                        wrong.append(f"before {stop.boundary.next}, frame {place}: {name}: {found}")
                seen |= {*views}
            training.ask(m.Evaluate(0, "print(_)"))
    assert not wrong, "\n".join(wrong[:10])
    assert seen >= {
        "net.layers.0.weight",
        "net.layers.0.weight.grad",
        "net.scales.0",
        "net.parts.odd-name.weight",
        "net.norm.running_mean",
        "opt.state[net.layers.0.weight].exp_avg",
    }


def test_what_is_assigned_to_a_shown_name_arrives_where_it_is_shown(script: str) -> None:
    with debuggee(script) as training:
        stop = training.stop()
        while stop.boundary.done != "step":
            stop = training.go()
        name = "opt.state[net.layers.0.weight].exp_avg"
        assert not training.ask(m.Evaluate(0, f"{name} = torch.full((3, 3), 7.0)")).failure
        assert training.ask(m.Evaluate(0, f"{name}.mean().item()")).value == "7.0"
        assert not training.ask(m.Evaluate(0, "net.layers.0.weight.grad = None")).failure
        assert training.ask(m.Evaluate(0, "net.layers.0.weight.grad is None")).value == "True"
        refused = training.ask(m.Evaluate(0, "net.parts.odd-name.weight.grad = None"))
        assert "net.parts.odd-name.weight.grad can be looked at here, but not assigned to" in refused.failure
        assert training.ask(m.Evaluate(0, "'net.layers.0.weight'")).value == "'net.layers.0.weight'"
        assert training.ask(m.Evaluate(0, "x = 5")).failure == ""
        assert training.ask(m.Evaluate(0, "x")).value == "5"


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("model.fc1.weight", "model.fc1.weight"),
        ("model.0.weight", "model.__getattr__('0').weight"),
        ("model.10.2.weight.grad", "model.__getattr__('10').__getattr__('2').weight.grad"),
        ("model.scales.3", "model.scales.__getattr__('3')"),
        ("opts[0].state[nets[0].1.bias].step", "opts[0].state[nets[0].__getattr__('1').bias]['step']"),
        ("batch['x'].0", "batch['x'].__getattr__('0')"),
    ],
)
def test_a_name_in_pythons_own_syntax(name: str, python: str) -> None:
    assert as_python(name) == python
