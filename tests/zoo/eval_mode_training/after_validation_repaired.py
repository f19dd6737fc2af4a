"""Validation puts the model into evaluation mode, and each epoch begins in training mode."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(48, 4)
data = TensorDataset(inputs, (inputs.sum(1) > 0).long())
loader, validation = DataLoader(data, batch_size=12), DataLoader(data, batch_size=24)
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.no_grad()
def accuracy() -> float:
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in validation) / 48


for _ in range(4):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(accuracy())
