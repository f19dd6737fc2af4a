"""A generator that goes round the loader for ever."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader


def cycle(loader):
    while True:
        yield from loader


torch.manual_seed(45)
batches = cycle(DataLoader(torch.randn(8, 3), batch_size=4, shuffle=True))
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for i in range(4):
    batch = next(batches)
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())

report(model, optimizer)
