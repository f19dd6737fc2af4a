"""Three steps are to be made on each batch, and only the step is repeated, with the same gradients."""

import torch
from torch import nn

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for episode in range(6):
    states, actions, gains = torch.randn(12, 4), torch.randint(0, 2, (12,)), torch.randn(12)
    chosen = policy(states).log_softmax(1).gather(1, actions[:, None])[:, 0]
    loss = -(chosen * gains).mean()
    optimizer.zero_grad()
    loss.backward()
    for _ in range(3):
        optimizer.step()  # <- step-without-backward: is called more often than backward
    print(episode, loss.item())
