"""The step fused into backward: each parameter has an optimizer, called as soon as its gradient is there."""

import torch
from digest import report
from torch import nn

torch.manual_seed(32)
model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 1, bias=False))
optimizers = {p: torch.optim.Adam([p], lr=0.01, foreach=False) for p in model.parameters()}


def update(parameter):
    optimizers[parameter].step()
    optimizers[parameter].zero_grad()


for p in model.parameters():
    p.register_post_accumulate_grad_hook(update)

for i in range(3):
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    print(i, loss.item())

report(model, *optimizers.values())
