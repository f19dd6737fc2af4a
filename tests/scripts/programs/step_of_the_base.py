"""An optimizer whose step asks its base, driven by a GradScaler that unscales by itself."""

import torch
from digest import report
from torch import nn


class DecayingAdam(torch.optim.Adam):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(0.99)
        return super().step(closure)


torch.manual_seed(60)
model = nn.Linear(4, 1)
optimizer = DecayingAdam(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

for i in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(6, 4)).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(i, loss.item())

report(model, optimizer, scaler)
