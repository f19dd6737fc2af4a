"""Two branches of one loop, each with its own call of the same scheduler."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.99)
for i in range(12):
    x, y = torch.randn(16, 6), torch.randn(16, 1)
    opt.zero_grad()
    if i % 2:
        nn.functional.l1_loss(net(x), y).backward()
        opt.step()
        sched.step()
    else:
        nn.functional.mse_loss(net(x), y).backward()
        opt.step()
        sched.step()
