"""A multilayer perceptron of 10 million parameters with Adam: how big a model steps at the speed of a key press."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 1400), nn.ReLU(), nn.Linear(1400, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
loss_fn = nn.CrossEntropyLoss()
x, y = torch.randn(16, 1024), torch.randint(10, (16,))

for _ in range(1000):
    optimizer.zero_grad()
    y_hat = model(x)
    loss = loss_fn(y_hat, y)
    loss.backward()
    optimizer.step()
