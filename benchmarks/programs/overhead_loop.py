"""A training loop that times itself, with nobody watching or under one of the ways people look into training today.

`overhead_loop.py SIZE UPDATES WAY`: SIZE is one of `SIZES` (an update on one core), WAY one of `WAYS`. For each
line that it reads it runs so many updates and prints the seconds that one took; the end of its input ends it.
"""

import sys
import tempfile
import time

import torch
from torch import nn

SIZES = {"0.4ms": (64, 64, 4), "5ms": (256, 800, 2), "100ms": (512, 4000, 2), "30 parameters": (128, 200, 15)}
"""Width, batch, layers: bound by arithmetic. The last is of some 5 ms too."""
WAYS = ("bare", "settrace", "anomaly", "norm", "wandb", "torchlens")

size, updates, way = sys.argv[1], int(sys.argv[2]), sys.argv[3]
width, batch, depth = SIZES[size]
torch.manual_seed(0)
torch.set_num_threads(1)
layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
model = nn.Sequential(*layers)
optimizer = torch.optim.Adam(model.parameters())
loss_fn = nn.MSELoss()
x, y = torch.randn(batch, width), torch.randn(batch, width)

look = forward = norm = None
if way == "settrace":
    sys.settrace(lambda *_: None)
elif way == "anomaly":
    torch.autograd.set_detect_anomaly(True)
elif way == "norm":

    def norm():
        """The norm of all gradients, a number."""
        return nn.utils.get_total_norm([one.grad for one in model.parameters()]).item()

elif way == "wandb":
    import wandb

    run = wandb.init(mode="offline", dir=tempfile.mkdtemp(), settings=wandb.Settings(silent=True))
    run.watch(model, log="all", log_freq=1)

    def look(loss):
        """Have wandb store what it watched."""
        run.log({"loss": loss.item()})

elif way == "torchlens":
    import torchlens

    def forward(batch):
        """One more pass, logged."""
        torchlens.trace(model, batch)


def train(count):
    """So many updates."""
    for _ in range(count):
        if forward is not None:
            forward(x)
        optimizer.zero_grad()
        y_hat = model(x)
        loss = loss_fn(y_hat, y)
        loss.backward()
        if norm is not None:
            norm()
        optimizer.step()
        if look is not None:
            look(loss)


train(3)
print("ready", flush=True)
for _ in iter(sys.stdin.readline, ""):
    train(updates // 5)  # other ways have had their turn: what is timed is training under way, not its first steps
    began = time.perf_counter()
    train(updates)
    print((time.perf_counter() - began) / updates, flush=True)
