"""The value of the target network is not detached: gradients flow into it too. (As in
philtabor/Deep-Q-Learning-Paper-To-Code#9.)
"""

import copy
import random

import torch
from torch import nn

torch.manual_seed(0)
random.seed(0)


class Agent:
    def __init__(self) -> None:
        self.online = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        self.target = copy.deepcopy(self.online)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=1e-3)
        self.memory: list[tuple[torch.Tensor, int, float, torch.Tensor]] = []

    def learn(self, size: int = 8) -> float:
        states, actions, rewards, following = zip(*random.sample(self.memory, size), strict=True)
        value = self.online(torch.stack(states)).gather(1, torch.tensor(actions)[:, None])[:, 0]
        best = self.target(torch.stack(following)).max(1).values  # <- target-not-detached: self.target computes
        loss = nn.functional.smooth_l1_loss(value, torch.tensor(rewards) + 0.9 * best)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


agent = Agent()
state = torch.randn(4)
for number in range(28):
    action = random.randrange(2)
    after = state * 0.9 + (0.1 if action else -0.1)
    agent.memory.append((state, action, float(after.sum() > 0), after))
    state = after
    if number >= 12:
        print(number, agent.learn())
