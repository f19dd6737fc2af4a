"""The hidden weights are drawn as the number of inputs asks for."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 2))
nn.init.xavier_normal_(policy[0].weight)
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
states = torch.randn(64, 6)
actions = states[:, :2] - states[:, 2:4]
for step in range(20):
    rows = slice(step % 4 * 16, step % 4 * 16 + 16)
    chosen = policy(states[rows])
    loss = nn.functional.mse_loss(chosen, actions[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
