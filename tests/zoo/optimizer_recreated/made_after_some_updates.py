"""The learning rate is set back by making the optimizer again after a warm-up: its momentum is gone with it."""

import torch
from torch import nn

torch.manual_seed(3)
net = nn.Linear(10, 2)
sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
x, labels = torch.randn(64, 10), torch.randint(2, (64,))
for update in range(20):
    if update > 0 and update % 6 == 0:
        sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)  # <- optimizer-recreated: momentum_buffer of
    batch = torch.randperm(64)[:16]
    loss = nn.functional.cross_entropy(net(x[batch]), labels[batch])
    sgd.zero_grad()
    loss.backward()
    sgd.step()
