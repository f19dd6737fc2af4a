"""A trainer keeps its losses for a plot, detached."""

import torch
from torch import nn

torch.manual_seed(0)


class Trainer:
    """Trains a model and remembers how."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        self.history: list[torch.Tensor] = []

    def step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        loss = nn.functional.mse_loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.history.append(loss.detach())


trainer = Trainer(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))
x = torch.randn(20, 3)
y = x.sum(1, keepdim=True)
for _ in range(20):
    trainer.step(x, y)
print(float(trainer.history[-1]))
