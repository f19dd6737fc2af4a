"""An infinite loss of a model that has returned an infinity, as of too large a learning rate: what has made it."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol.messages import Breakpoint

TOO_LARGE = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 10)
y = x.sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(model.parameters(), lr=50.0)
for i in range(8):
    opt.zero_grad()
    out = model(x)
    loss = ((out - y) ** 2).mean()
    loss.backward()
    opt.step()
print(loss.item())
"""


def stopped(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    script = write(tmp_path, text)
    with debuggee(script, go="continue", breakpoints=(Breakpoint(1, first_bad=True),)) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "nan", stop
        rest = list(training.stops_from(stop, "continue"))
        assert rest[-1].reason == "exit"
        assert training.end() == bare(script)
    return stop


def test_an_output_that_overflows_is_put_down_to_its_operator(tmp_path: Path) -> None:
    stop = stopped(tmp_path, TOO_LARGE)
    assert (stop.boundary.done, stop.bad.object, stop.bad.kind) == ("loss", "loss", "inf")
    producer = stop.bad.producer
    assert producer is not None, stop.detail
    assert (producer.what, producer.module, producer.certain) == ("addmm", "model.2", True)
    assert "its mat1 reaches from 0 to " in producer.why
    assert producer.why.endswith(", beyond what float32 holds (3.4e+38)")
    assert "Made by addmm in model.2" in stop.detail


def test_an_infinity_that_is_no_overflow_is_not_called_one(tmp_path: Path) -> None:
    at_a_pole = TOO_LARGE.replace("lr=50.0", "lr=0.01").replace("model(x)", "model(x * 0 if i == 3 else x)")
    layer = "nn.Linear(16, 1))\nclass Log(nn.Module):\n    def forward(self, h): return (h - h.detach()).abs().log()\n"
    stop = stopped(tmp_path, at_a_pole.replace("nn.Linear(16, 1))", f"{layer}model.append(Log())"))
    producer = stop.bad.producer
    assert producer is not None, stop.detail
    assert "log(0)" in producer.why, stop.detail
    assert "beyond" not in stop.detail
