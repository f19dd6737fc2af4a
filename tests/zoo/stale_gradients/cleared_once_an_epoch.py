"""zero_grad stands one indent too far left: it clears once an epoch, and steps are made for every batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(40, 4)
loader = DataLoader(TensorDataset(inputs, (inputs.sum(1) > 0).long()), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters())


def train_epoch() -> float:
    optimizer.zero_grad()
    total = 0.0
    for batch, labels in loader:
        loss = nn.functional.cross_entropy(model(batch), labels)
        loss.backward()  # <- stale-gradients: no zero_grad between the step
        optimizer.step()
        total += loss.item()
    return total


for _ in range(5):
    print(train_epoch())
