"""A small training as a user would write it: `make record` runs it, and the fake debuggee replays what was recorded."""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

FEATURES, HIDDEN, CLASSES, BATCH = 12, 16, 4, 8


class Norm(nn.Module):
    """Takes away the mean of each row, and keeps a running mean of each column."""

    def __init__(self) -> None:
        super().__init__()
        self.running_mean = nn.Buffer(torch.zeros(HIDDEN))
        self.num_batches_tracked = nn.Buffer(torch.tensor(0))

    def forward(self, hidden: Tensor) -> Tensor:
        if self.training:
            self.running_mean.lerp_(hidden.detach().mean(0), 0.1)
            self.num_batches_tracked += 1
        return hidden - hidden.mean(1, keepdim=True).expand_as(hidden)


class Block(nn.Module):
    """A module that the loss does not lead back to but with a factor of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 2))


class Network(nn.Module):
    """fc1, a norm, relu, fc2; and so many blocks."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, HIDDEN)
        self.norm = Norm()
        self.fc2 = nn.Linear(HIDDEN, CLASSES)
        if blocks:
            self.blocks = nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.norm(self.fc1(x)))
        logits = self.fc2(hidden)
        if hasattr(self, "blocks"):
            logits = logits + 0 * torch.cat([block.weight for block in self.blocks]).sum()
        return logits


def batches(count: int) -> DataLoader[tuple[Tensor, ...]]:
    """So many batches of noisy clusters, one cluster for each class; every epoch has the same."""
    centres = torch.randn(CLASSES, FEATURES)
    labels = torch.randint(CLASSES, (count * BATCH,))
    return DataLoader(TensorDataset(centres[labels] + 0.7 * torch.randn(len(labels), FEATURES), labels), BATCH)


@torch.enable_grad()
def train(model: Network, optimizer: torch.optim.Optimizer, loader: DataLoader[tuple[Tensor, ...]]) -> None:
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    images = torch.zeros(3, 40, 160)
    for epoch in range(1, 3):
        for x, y in loader:
            optimizer.zero_grad()
            logits = model(x)
            loss = functional.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
        scheduler.step()
        accuracy = evaluate(model, x, y)
        print(f"epoch {epoch}: {accuracy:.0%} of a batch are right")
    print(f"{len(images)} images are left for another day")


def evaluate(model: Network, x: Tensor, y: Tensor) -> float:
    """The share of a batch whose largest logit is at the label."""
    model.eval()
    with torch.no_grad():
        right = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return right


if __name__ == "__main__":
    torch.manual_seed(7)
    model = Network(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    train(model, optimizer, batches(3))
