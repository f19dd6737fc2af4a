"""Both heads are used."""

import torch
from torch import nn

torch.manual_seed(0)


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.Tanh())
        self.actor = nn.Linear(16, 2)
        self.critic = nn.Linear(16, 2)

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.body(state)
        return self.actor(hidden).log_softmax(1), self.critic(hidden).mean(1)


model = ActorCritic()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for update in range(10):
    state, action, gain = torch.randn(12, 4), torch.randint(0, 2, (12, 1)), torch.randn(12)
    chances, value = model(state)
    loss = -(chances.gather(1, action)[:, 0] * (gain - value.detach())).mean() + (gain - value).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
