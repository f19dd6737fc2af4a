"""Three steps are made on each batch, each with a forward and backward of its own."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for episode in range(6):
    states, actions, gains = torch.randn(12, 4), torch.randint(0, 2, (12,)), torch.randn(12)
    for _ in range(3):
        chosen = policy(states).log_softmax(1).gather(1, actions[:, None])[:, 0]
        loss = -(chosen * gains).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(episode, loss.item())
