"""A loop that says itself where its phases begin."""

import torch
from digest import report
from torch import nn

import stepdbg

torch.manual_seed(55)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@stepdbg.loop
def train(updates):
    for _ in range(updates):
        yield "data"
        x = torch.randn(6, 4)
        yield "zero_grad"
        optimizer.zero_grad()
        yield "forward"
        y_hat = model(x)
        yield "loss"
        loss = y_hat.square().mean()
        yield "backward"
        loss.backward()
        yield "step"
        optimizer.step()
        yield "log"
        print(loss.item())
    return "done"


print(train(3))
report(model, optimizer)
