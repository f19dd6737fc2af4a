"""The biases of hidden layers are initialised far below zero: their ReLU lets nothing through."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
nn.init.constant_(model[0].bias, -5.0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, labels = torch.randn(64, 10), torch.randint(3, (64,))
for step in range(20):
    rows = slice(step % 4 * 16, step % 4 * 16 + 16)
    logits = model(x[rows])  # <- dead-units: what model.0 gives is below 0 for every input
    loss = nn.functional.cross_entropy(logits, labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
