"""A loop that names its phases itself, with logits for cross_entropy."""

import torch
from torch import nn

import stepdbg

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, labels = torch.randn(12, 4), torch.randint(3, (12,))


@stepdbg.loop
def train():
    for _ in range(10):
        yield "zero_grad"
        opt.zero_grad()
        yield "forward"
        scores = net(x)
        yield "loss"
        loss = nn.functional.cross_entropy(scores, labels)
        yield "backward"
        loss.backward()
        yield "step"
        opt.step()


train()
