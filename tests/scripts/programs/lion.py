"""An optimizer that torch does not have: derived from Optimizer, with a step of its own."""

import torch
from digest import report
from torch import nn


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                average = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                first, second = group["betas"]
                p.add_((average * first + p.grad * (1 - first)).sign_(), alpha=-group["lr"])
                average.lerp_(p.grad, 1 - second)


torch.manual_seed(28)
model = nn.Linear(5, 2)
lion = Lion(model.parameters(), lr=0.01)
for i in range(3):
    lion.zero_grad()
    out = model(torch.randn(7, 5))
    loss = out.square().mean()
    loss.backward()
    lion.step()
    print(i, loss.item())
report(model, lion)
