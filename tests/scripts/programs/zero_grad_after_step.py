"""Gradients are cleared at the end of the iteration: the first update has no zero_grad."""

import torch
from digest import report
from torch import nn

torch.manual_seed(2)
model = nn.Linear(5, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
data = torch.randn(10, 5)

for _ in range(3):
    prediction = model(data)
    loss = (prediction - data.mean(1, keepdim=True)).abs().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    print(float(loss))

report(model, optimizer)
