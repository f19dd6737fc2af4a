"""Sharpness-aware minimisation: two forwards and two backwards per step; another optimizer does the stepping."""

import torch
from digest import report
from torch import nn


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base_optimizer = base(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["away"] = away = group["rho"] * p.grad / (p.grad.norm() + 1e-12)
                p.add_(away)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(self.state[p]["away"])
        self.base_optimizer.step()
        self.zero_grad()


torch.manual_seed(29)
model = nn.Linear(4, 1)
optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9)
x = torch.randn(8, 4)
for i in range(3):
    loss = model(x).square().mean()
    loss.backward()
    optimizer.first_step()
    second_loss = model(x).square().mean()
    second_loss.backward()
    optimizer.second_step()
    print(i, loss.item(), second_loss.item())
report(model, optimizer.base_optimizer)
