"""Predictions and targets have one shape."""

import warnings

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter("ignore")
torch.manual_seed(0)
inputs = torch.randn(40, 2)
targets = 10 + 9 * inputs[:, 0] - 2 * inputs[:, 1]
loader = DataLoader(TensorDataset(inputs, targets), batch_size=8, shuffle=True)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.MSELoss()
for _ in range(4):
    for x, y in loader:
        optimizer.zero_grad()
        predicted = model(x).squeeze(1)
        loss = criterion(predicted, y)
        loss.backward()
        optimizer.step()
