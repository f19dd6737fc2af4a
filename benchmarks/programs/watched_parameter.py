"""A loop over a model of a thousand parameters, of which a single one is trained; prints the microseconds of an update.

What is watched meanwhile (`-b "when net.layers.7.weight changes"`) has 10,000 elements and is never touched.
"""

import time

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)


class Net(nn.Module):
    """Five hundred layers, of which the first is used."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(100, 100) for _ in range(500)])

    def forward(self, batch):
        """The first layer."""
        return self.layers[0](batch)


net = Net()
optimizer = torch.optim.SGD(net.layers[0].parameters(), lr=0.001)
loss_fn = nn.MSELoss()
x, y = torch.randn(16, 100), torch.randn(16, 100)


def train(updates):
    """Seconds of CPU that an update takes."""
    began = time.process_time()
    for _ in range(updates):
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
    return (time.process_time() - began) / updates


train(300)
print(min(train(10) for _ in range(200)) * 1e6)
