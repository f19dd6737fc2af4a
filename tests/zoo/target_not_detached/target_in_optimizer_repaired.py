"""The target network is averaged, and the optimizer holds what is trained alone."""

import copy

import torch
from torch import nn

torch.manual_seed(0)


class Critics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
        self.critic_target = copy.deepcopy(self.critic)

    def follow(self, rate: float = 0.05) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.critic_target.parameters(), self.critic.parameters(), strict=True):
                slow.lerp_(fast, rate)


model = Critics()
optimizer = torch.optim.Adam(model.critic.parameters(), lr=1e-3)
for update in range(10):
    now, following, reward = torch.randn(12, 5), torch.randn(12, 5), torch.rand(12, 1)
    with torch.no_grad():
        goal = reward + 0.99 * model.critic_target(following)
    loss = (model.critic(now) - goal).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.follow()
    print(update, loss.item())
