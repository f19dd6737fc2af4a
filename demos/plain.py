"""The textbook training loop on the same digits; it has never heard of stepdbg.

    stepdbg demos/plain.py       step through it
    python demos/plain.py        just train

What to look for:
  * the same rail as with demos/mnist.py, although nothing here says where a phase begins.
  * `loss.backward()` never mentions the model, and yet the phase `backward` writes the gradient of its parameters.
  * SGD with momentum: the first `step` creates one buffer for each parameter (panel 4).
  * once an epoch the scheduler changes the learning rate: a phase of its own.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description="Train a small digit classifier.")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--updates", type=int, help="stop an epoch after so many updates")
parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
args = parser.parse_args()

torch.manual_seed(0)
with np.load(Path(__file__).parent / "data" / "mnist5k.npz") as digits:
    images = torch.from_numpy(digits["images"]).float().div(255).sub(0.1307).div(0.3081)
    labels = torch.from_numpy(digits["labels"]).long()
order = torch.randperm(len(images))
train_set = TensorDataset(images[order[:4000]], labels[order[:4000]])
test_set = TensorDataset(images[order[4000:]], labels[order[4000:]])
loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=500)

model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(1, args.epochs + 1):
    model.train()
    for update, (x, y) in enumerate(loader, start=1):
        optimizer.zero_grad()
        y_hat = model(x)
        loss = loss_fn(y_hat, y)
        loss.backward()
        optimizer.step()
        if update == args.updates:
            break
    scheduler.step()

    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"epoch {epoch}: loss {loss.item():.4f}, accuracy {right / len(test_set):.1%}", flush=True)

if args.digest:
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(f"digest {hashlib.sha256(weights).hexdigest()[:16]}")
