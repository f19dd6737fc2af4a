"""Batches taken by hand with next(), from a loader that is begun again when it is empty."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(44)
x = torch.randn(8, 3)
loader = DataLoader(TensorDataset(x), batch_size=4, shuffle=True)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = iter(loader)

for i in range(3):
    try:
        (inputs,) = next(batches)
    except StopIteration:
        batches = iter(loader)
        (inputs,) = next(batches)
    optimizer.zero_grad()
    loss = model(inputs).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())

report(model, optimizer)
