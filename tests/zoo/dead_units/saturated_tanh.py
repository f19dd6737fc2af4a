"""The hidden weights are drawn with a standard deviation of 100: tanh stands at its ends."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 2))
nn.init.normal_(policy[0].weight, std=100.0)
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
states = torch.randn(64, 6)
actions = states[:, :2] - states[:, 2:4]
for step in range(20):
    rows = slice(step % 4 * 16, step % 4 * 16 + 16)
    chosen = policy(states[rows])  # <- dead-units: what policy.0 gives to tanh is too large
    loss = nn.functional.mse_loss(chosen, actions[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
