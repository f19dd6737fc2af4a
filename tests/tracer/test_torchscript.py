"""What TorchScript compiles stays what it is where training is looked at."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import debuggee, write

SCRIPTED = """
    import torch
    @torch.jit.script
    def slope(x: torch.Tensor):
        return torch.autograd.grad([(x * x).sum()], [x])[0]
    net = torch.nn.Linear(2, 1, bias=False)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.ones(2)).sum().backward()
    opt.step()
    assert slope(torch.ones(2, requires_grad=True)).tolist() == [2, 2]
"""


def test_a_scripted_function_may_take_derivatives(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, SCRIPTED), go="continue") as training:
        list(training.stops("continue"))
        assert training.end()[0] == 0
