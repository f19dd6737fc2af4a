"""A thread of the script's runs a model of its own, with gradients, while the main thread trains."""

import threading

import torch
from digest import report
from torch import nn

torch.manual_seed(54)
model, beside = nn.Linear(3, 1), nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
other = torch.optim.SGD(beside.parameters(), lr=0.1)
x = torch.randn(5, 3)


def train_beside():
    for _ in range(20):
        other.zero_grad()
        beside(x).square().mean().backward()
        other.step()


thread = threading.Thread(target=train_beside)
for i in range(3):
    optimizer.zero_grad()
    if i == 1:
        thread.start()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
thread.join()

report(model, beside, optimizer, other)
