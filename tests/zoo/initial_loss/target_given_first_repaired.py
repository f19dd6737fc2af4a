"""The target is given first, and the value of the network second, as in many a DQN: the loss is the same."""

import torch
from torch import nn

torch.manual_seed(0)
value = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
target = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
target.load_state_dict(value.state_dict())
with torch.no_grad():
    for network in (value, target):
        network[2].weight.mul_(0.1)
        network[2].bias.zero_()
optimizer = torch.optim.Adam(value.parameters(), lr=0.001)
for _ in range(10):
    seen, then = torch.randn(32, 4) * 0.1, torch.randn(32, 4) * 0.1
    action = torch.randint(0, 2, (32, 1))
    with torch.no_grad():
        wanted = 1 + 0.99 * target(then).max(1).values
    loss = nn.functional.mse_loss(wanted, value(seen).gather(1, action).squeeze(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
