"""No optimizer, no zero_grad: parameters moved under no_grad and gradients dropped by hand."""

import torch
from digest import report
from torch import nn

torch.manual_seed(25)
model = nn.Linear(3, 1)
x = torch.randn(6, 3)
lr = 0.05

for i in range(3):
    prediction = model(x)
    error = (prediction - x[:, :1]).square().mean()
    error.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad
            p.grad = None
    print(i, error.item())

report(model)
