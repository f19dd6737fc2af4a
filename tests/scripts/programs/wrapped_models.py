"""Models reached only through a wrapper: nn.DataParallel, and one like it of one's own."""

import torch
from digest import report
from torch import nn


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs)


torch.manual_seed(8)
model = Wrapper(nn.DataParallel(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))))
optimizer = torch.optim.SGD(model.module.module.parameters(), lr=0.1)
x = torch.randn(8, 4)

for _ in range(3):
    optimizer.zero_grad()
    out = model(x)
    loss = out.square().mean()
    loss.backward()
    optimizer.step()
    print(loss.item())

print(list(model.state_dict()))
report(model, optimizer)
