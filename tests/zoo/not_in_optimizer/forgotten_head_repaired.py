"""The optimizer is given the whole model."""

import torch
from torch import nn

torch.manual_seed(0)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu())


model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x, labels = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(25):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()
