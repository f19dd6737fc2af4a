"""The rows that a real training process answers with: filtered, folded, sorted, in a window."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, debuggee, write

from stepdbg.protocol import messages as m

SCRIPT = """
    import torch
    from torch import nn
    torch.manual_seed(0)

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(5, 4)
            self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(300))
            self.unused = nn.Linear(4, 4, dtype=torch.bfloat16)
            self.head = nn.Linear(4, 5, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x):
            for block in self.blocks[:2]:
                x = block(x)
            return self.head(x)

    model, critic = Tied(), nn.Linear(4, 1)
    model.blocks[1].bias.requires_grad_(False)
    first = torch.optim.SGD(model.parameters(), lr=0.1)
    second = torch.optim.Adam(critic.parameters(), lr=0.1)
    for _ in range(3):
        first.zero_grad()
        loss = model(torch.ones(2, 4)).square().sum()
        loss.backward()
        with torch.no_grad():
            model.blocks[7].bias[0] = float("nan")
        first.step()
        model.unused.weight.requires_grad_(False)
"""


def tensors(training: Debuggee, words: str, **query: object) -> list[str]:
    found = training.ask(m.ListObjects(words, **query))  # type: ignore[arg-type]
    return [row.name for row in found.rows if row.node in ("parameter", "buffer", "variable")]


def test_a_large_model_is_listed_by_windows_and_searched_where_it_is(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, SCRIPT)) as training:
        stop = training.stop()
        while stop is not None and stop.boundary.next != "step":
            stop = training.go()
        opened = training.ask(m.ListObjects(base="auto", count=30))
        assert not opened.open
        assert opened.models == (("model", "Tied"), ("critic", "Linear"))
        assert [row.label for row in opened.rows if row.depth == 1 and row.node == "module"] == [
            "embed", "blocks", "unused", "head",
        ]  # fmt: skip
        assert opened.leading == "model.embed.weight"
        (tied,) = [row for row in opened.rows if row.node == "module" and row.label == "embed"]
        assert tied.folded
        window = training.ask(m.ListObjects(first=0, count=30, around="model.blocks.200.bias"))
        assert window.total > 900
        assert window.rows[window.place - window.first].name == "model.blocks.200.bias"

        (embedding,) = [row for row in training.ask(m.ListObjects("head")).rows if row.also]
        assert (embedding.name, embedding.also) == ("model.embed.weight", ("model.head.weight",))
        assert tensors(training, "frozen") == ["model.blocks.1.bias"]
        assert tensors(training, "dtype:bf16") == ["model.unused.weight", "model.unused.bias"]
        assert tensors(training, "class:Emb") == ["model.embed.weight"]
        changed = tensors(training, "changed")
        assert changed == [
            "model.embed.weight", "model.blocks.0.weight", "model.blocks.0.bias", "model.blocks.1.weight",
            "model.blocks.7.bias",
        ]  # fmt: skip
        assert len(tensors(training, "grad:none")) == 1 + 600 + 2 + 2 - 4
        assert tensors(training, "nan") == ["model.blocks.7.bias"]
        by_gradient = tensors(training, "changed", order="grad")
        figures = [row.grad_norm for row in training.ask(m.Summarise(tuple(by_gradient))).rows if row.grad_norm]
        assert figures == sorted(figures, reverse=True)
        summary = training.ask(m.Summarise(("model.blocks", "model.unused", "model.blocks.7.bias"))).rows
        assert [row.marks for row in summary] == [("changed", "created", ""), ("", "", ""), ("changed", "", "")]
        assert "grad:none" in training.ask(m.ListObjects("grad:5")).problem

        version = stop.registry if stop else 0
        after = training.go()
        after = training.go() if after is not None and after.boundary.done != "zero_grad" else after
        assert after is not None
        assert after.registry != version, "the rows are others: a parameter was frozen"
        assert "model.unused.weight" in tensors(training, "frozen")


def test_a_module_has_the_norms_of_all_its_parameters_and_of_their_gradients_together(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, SCRIPT)) as training:
        stop = training.stop()
        while stop is not None and stop.boundary.next != "step":
            stop = training.go()
        names = ("model.blocks.0", "critic", "model.blocks.7", "model.unused")
        found = {row.object: row for row in training.ask(m.Summarise(names)).rows}
        for name in names[:2]:
            code = f"sum(p.norm().item() ** 2 for p in {name.replace('blocks.0', 'blocks[0]')}.parameters()) ** 0.5"
            assert found[name].norm == pytest.approx(float(training.ask(m.Evaluate(0, code)).value), rel=1e-6)
        code = "sum(p.grad.norm().item() ** 2 for p in model.blocks[0].parameters()) ** 0.5"
        assert found["model.blocks.0"].grad_norm == pytest.approx(float(training.ask(m.Evaluate(0, code)).value))
        assert found["critic"].grad_norm is None
        assert found["model.blocks.7"].finite is False
        assert found["model.unused"].norm is not None
