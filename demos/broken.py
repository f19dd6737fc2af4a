"""Three famous mistakes. Each trains, nearly: the loss falls, nothing is raised, and the result is poor.

    python demos/broken.py                        healthy: what it ought to come to
    stepdbg demos/broken.py --no-zero-grad        gradients are never cleared
    stepdbg demos/broken.py --forgotten-layer     a layer that is in no optimizer
    stepdbg demos/broken.py --double-softmax      softmax before a loss that takes one itself

What to look for is yours to find: run one under stepdbg, press n through two or three updates, and look round until
you can point at something that is not as it should be. Then compare with the healthy run, stepped the same way.

docs/broken.md tells where each of them shows.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description="Train a digit classifier, with a mistake or without.")
parser.add_argument("--no-zero-grad", action="store_true", help="never clear the gradients")
parser.add_argument("--forgotten-layer", action="store_true", help="leave a layer out of the optimizer")
parser.add_argument("--double-softmax", action="store_true", help="take the softmax twice")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--updates", type=int, help="stop after so many updates")
parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
args = parser.parse_args()


class Classifier(nn.Module):
    """28×28 pixels in, a score for each class out."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 32), nn.ReLU())
        self.head = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.head(self.body(x))
        return scores.softmax(dim=1) if args.double_softmax else scores


torch.manual_seed(0)
with np.load(Path(__file__).parent / "data" / "mnist5k.npz") as digits:
    images = torch.from_numpy(digits["images"]).float().div(255).sub(0.1307).div(0.3081)
    labels = torch.from_numpy(digits["labels"]).long()
order = torch.randperm(len(images))
train_set = TensorDataset(images[order[:4000]], labels[order[:4000]])
test_set = TensorDataset(images[order[4000:]], labels[order[4000:]])
loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=500)

model = Classifier(classes=26)  # as if it came from a run on letters
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
model.head = nn.Linear(32, 10)  # digits now
if not args.forgotten_layer:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
loss_fn = nn.CrossEntropyLoss()

done = 0
for epoch in range(1, args.epochs + 1):
    model.train()
    for x, y in loader:
        if not args.no_zero_grad:
            optimizer.zero_grad()
        scores = model(x)
        loss = loss_fn(scores, y)
        loss.backward()
        optimizer.step()
        done += 1
        if done == args.updates:
            break

    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy {right / len(test_set):.1%}", flush=True)
    if done == args.updates:
        break

if args.digest:
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(f"digest {hashlib.sha256(weights).hexdigest()[:16]}")
