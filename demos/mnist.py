"""A digit classifier, as a generator loop: every `yield` names the phase that comes next.

    stepdbg demos/mnist.py       step through it
    python demos/mnist.py        just train

What to look for:
  * press n until the rail says `backward`: the step before it left every gradient empty, this one writes them all,
    and the parameters stay as they are.
  * the next phase, `step`, changes the parameters, and on its first run creates Adam's moments (panel 4).
  * `forward` changes no parameter, but it does change buffers: the running statistics of the batch norm.
  * go to conv.weight in panel 1, press Enter, then e: change a number between two updates and watch the loss answer.
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import stepdbg

DIGITS = Path(__file__).parent / "data" / "mnist5k.npz"


class Net(nn.Module):
    """A small convolutional network: 28×28 pixels in, ten scores out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, kernel_size=3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.fc1 = nn.Linear(8 * 13 * 13, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def load_digits(batch_size: int) -> tuple[DataLoader, DataLoader]:
    """Training and test batches: 4,000 and 1,000 digits, scaled as is customary for MNIST."""
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float().div(255).sub(0.1307).div(0.3081).unsqueeze(1)
        labels = torch.from_numpy(digits["labels"]).long()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, test = order[:4000], order[4000:]
    return (
        DataLoader(TensorDataset(images[train], labels[train]), batch_size, shuffle=True),
        DataLoader(TensorDataset(images[test], labels[test]), 500),
    )


@stepdbg.loop
def train(model: nn.Module, loader: DataLoader, epochs: int, updates: int | None) -> Iterator[str]:
    """Train for so many epochs, or updates if that is less."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    done = 0
    for epoch in range(1, epochs + 1):
        batches = iter(loader)
        for _ in range(len(loader)):
            if done == updates:
                return
            yield "data"
            x, y = next(batches)
            yield "zero_grad"
            optimizer.zero_grad()
            yield "forward"
            y_hat = model(x)
            yield "loss"
            loss = loss_fn(y_hat, y)
            yield "backward"
            loss.backward()
            yield "step"
            optimizer.step()
            done += 1
        print(f"epoch {epoch}: loss {loss.item():.4f}", flush=True)


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """The share of digits that the model names rightly."""
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small digit classifier.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--updates", type=int, help="stop after so many updates")
    parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
    args = parser.parse_args()

    torch.manual_seed(0)
    train_loader, test_loader = load_digits(batch_size=64)
    model = Net()
    train(model, train_loader, args.epochs, args.updates)
    print(f"accuracy {accuracy(model, test_loader):.1%}")
    if args.digest:
        weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
        print(f"digest {hashlib.sha256(weights).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
