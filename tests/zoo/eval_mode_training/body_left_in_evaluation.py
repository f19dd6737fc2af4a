"""A pretrained body is put into evaluation mode with all its dropout, and is trained nevertheless."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop(torch.relu(self.linear(x)))


class Tuned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Block(6), Block(6))
        self.body.eval()
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


torch.manual_seed(0)
tuned = Tuned()
adam = torch.optim.Adam(tuned.parameters(), lr=1e-3)
x, labels = torch.randn(16, 6), torch.randint(2, (16,))
for _ in range(20):
    loss = nn.functional.cross_entropy(tuned(x), labels)  # <- eval-mode-training: are in evaluation mode
    adam.zero_grad()
    loss.backward()
    adam.step()
