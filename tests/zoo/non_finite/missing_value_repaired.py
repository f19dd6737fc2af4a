"""A measurement that is missing in the data is filled in."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
measured = torch.randn(60, 4)
measured[37, 2] = float("nan")
measured = measured.nan_to_num()
result = torch.randn(60, 1)
loader = DataLoader(TensorDataset(measured, result), batch_size=10)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
