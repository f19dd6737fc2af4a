"""A dual variable stands in a group under its own name, and the optimizer ascends it (as in LibAUC)."""

import torch
from torch import nn

torch.manual_seed(0)


class Balanced(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        gap = scores[labels == 0].mean() - scores[labels == 1].mean()
        return scores.var() + 2 * self.alpha * (1 + gap) - self.alpha**2


class DescendAscend(torch.optim.Optimizer):
    def __init__(self, parameters, alpha: nn.Parameter, lr: float) -> None:
        super().__init__([*parameters], {"lr": lr, "alpha": alpha})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad
            group["alpha"] += group["lr"] * group["alpha"].grad
            group["alpha"].grad = None


net, criterion = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)), Balanced()
optimizer = DescendAscend(net.parameters(), criterion.alpha, lr=0.05)
for _ in range(10):
    inputs, labels = torch.randn(16, 6), torch.arange(16) % 2
    loss = criterion(net(inputs).squeeze(1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
