"""Linear regression on bare tensors: there is no module, so there is no forward."""

import torch
from digest import report

torch.manual_seed(26)
w = torch.zeros(3, requires_grad=True)
b = torch.zeros((), requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.1)
x = torch.randn(20, 3)
y = x @ torch.tensor([1.0, -2.0, 0.5]) + 3

for i in range(3):
    optimizer.zero_grad()
    mse = (x @ w + b - y).square().mean()
    mse.backward()
    optimizer.step()
    print(i, mse.item())

report(w, b, optimizer)
