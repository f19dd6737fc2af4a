"""loss.backward() is missing: the steps do nothing."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for update in range(8):
    x = torch.randn(16, 3)
    optimizer.zero_grad()
    loss = (model(x) - x.mean(1, keepdim=True)).abs().mean()
    optimizer.step()  # <- step-without-backward: no backward comes before the step
    print(update, loss.item())
