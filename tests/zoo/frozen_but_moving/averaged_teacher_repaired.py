"""A momentum teacher in training mode (as in BYOL): it takes no gradients, but is an average, and not frozen."""

import copy

import torch
from torch import nn

torch.manual_seed(0)


class Learner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.student = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.predict = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.predict(self.student(x + 0.1 * torch.randn_like(x)))
        return 2 - 2 * nn.functional.cosine_similarity(seen, self.teacher(x).detach()).mean()

    @torch.no_grad()
    def average(self) -> None:
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.data = old.data + 0.1 * (new.data - old.data)


learner = Learner()
optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
for _ in range(10):
    loss = learner(torch.randn(16, 5) * 3 + 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    learner.average()
