"""Gradient accumulation over two micro-batches, the loss divided by their number."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(14)
x = torch.randn(16, 4)
loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=4, shuffle=True)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
accumulate = 2

for i, (inputs, targets) in enumerate(loader):
    prediction = model(inputs)
    loss = nn.functional.mse_loss(prediction, targets)
    (loss / accumulate).backward()
    if (i + 1) % accumulate == 0:
        optimizer.step()
        optimizer.zero_grad()
    print(i, loss.item())

report(model, optimizer)
