"""The learning rate is set back in the optimizer that there is."""

import torch
from torch import nn

torch.manual_seed(3)
net = nn.Linear(10, 2)
sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
x, labels = torch.randn(64, 10), torch.randint(2, (64,))
for update in range(20):
    if update > 0 and update % 6 == 0:
        for group in sgd.param_groups:
            group["lr"] = 0.05
    batch = torch.randperm(64)[:16]
    loss = nn.functional.cross_entropy(net(x[batch]), labels[batch])
    sgd.zero_grad()
    loss.backward()
    sgd.step()
