"""The five phases on a network of two weights, y_hat = w2 · relu(w1 · x), small enough to be followed by hand.

    stepdbg demos/tour.py        step through it, with docs/tour.md beside it
    python demos/tour.py         just train

What to look for:
  * only `step` moves w1 and w2; only `backward` writes their .grad; `forward` and `loss` change nothing of the model.
  * every number: there are so few that each can be worked out on paper. docs/tour.md does it for the first two updates.
"""

import argparse
import hashlib

import torch
from torch import nn

parser = argparse.ArgumentParser(description="Train a network of two weights.")
parser.add_argument("--updates", type=int, default=10)
parser.add_argument("--digest", action="store_true", help="print a digest of the final weights")
args = parser.parse_args()


class TwoWeights(nn.Module):
    """y_hat = w2 · relu(w1 · x)."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.tensor(2.0))
        self.w2 = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.w2 * torch.relu(self.w1 * x)


model = TwoWeights()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.tensor(1.0), torch.tensor(1.0)

for update in range(1, args.updates + 1):
    optimizer.zero_grad()
    y_hat = model(x)
    loss = (y_hat - y) ** 2
    loss.backward()
    optimizer.step()
    print(f"update {update}: y_hat {y_hat.item():.6g}, loss {loss.item():.6g}", flush=True)

if args.digest:
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(f"digest {hashlib.sha256(weights).hexdigest()[:16]}")
