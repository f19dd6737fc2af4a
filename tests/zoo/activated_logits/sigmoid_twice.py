"""A detector's scores go through a sigmoid, are flattened, and are then given to a loss with a sigmoid of its own."""

import torch
from torch import nn

torch.manual_seed(0)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.scores(images)).flatten(1)


detector = Detector()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(detector.parameters(), lr=0.1)
images = torch.randn(4, 1, 5, 5)
objects = (images > 1).float().flatten(1)
for _ in range(25):
    loss = criterion(detector(images), objects)  # <- activated-logits: binary_cross_entropy_with_logits takes logits
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
