"""The biases of hidden layers begin at zero."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
nn.init.constant_(model[0].bias, 0.0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, labels = torch.randn(64, 10), torch.randint(3, (64,))
for step in range(20):
    rows = slice(step % 4 * 16, step % 4 * 16 + 16)
    logits = model(x[rows])
    loss = nn.functional.cross_entropy(logits, labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
