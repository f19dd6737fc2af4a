"""States that change places rightly: a member of a population takes over another's weights and moments; the layers of a
model are turned round, and their moments with them.
"""

import torch
from torch import nn

torch.manual_seed(8)


def member() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    return model, torch.optim.Adam(model.parameters(), lr=0.01)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, updates: int) -> float:
    for _ in range(updates):
        x = torch.randn(8, 4)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), x.roll(1, 1))
        loss.backward()
        optimizer.step()
    return loss.item()


population = [member(), member()]
losses = [train(*one, 4) for one in population]
best, worst = sorted(range(2), key=losses.__getitem__)
population[worst][0].load_state_dict(population[best][0].state_dict())
population[worst][1].load_state_dict(population[best][1].state_dict())
train(*population[worst], 3)

model, optimizer = population[best]
turned = nn.Sequential(*reversed(model))
new = torch.optim.Adam(turned.parameters(), lr=0.01)
saved = optimizer.state_dict()
saved["state"] = {0: saved["state"][2], 1: saved["state"][3], 2: saved["state"][0], 3: saved["state"][1]}
new.load_state_dict(saved)
train(turned, new, 5)
