"""An optimizer of one's own writes the parameter."""

import torch
from torch import nn

torch.manual_seed(0)


class SignDescent(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 1e-2) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad.sign())


net = nn.Linear(6, 2)
optimizer = SignDescent(net.parameters())
for update in range(10):
    x = torch.randn(12, 6)
    loss = (net(x) - x[:, :2]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
