"""The forward stands within no_grad, and the loss is made to require a gradient."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def predict(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():  # <- backward-without-graph: under no_grad()
        return net(x)


for update in range(8):
    x = torch.randn(10, 3)
    output = predict(x)
    loss = (output - x.sum(1, keepdim=True)).abs().mean()
    loss.requires_grad = True
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
