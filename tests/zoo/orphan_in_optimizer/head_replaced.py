"""A head for other classes is put in after the optimizer was made."""

import torch
from torch import nn

torch.manual_seed(0)


class Classifier(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu())


model = Classifier(classes=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
model.head = nn.Linear(8, 3)
x, labels = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(25):
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()  # <- orphan-in-optimizer: model.head.weight and model.head.bias were put into the model after
