"""The textbook loop: gradients are cleared first; once they are set to zero, then to None."""

import torch
from digest import report
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.MSELoss()

for update in range(3):
    x = torch.randn(16, 4)
    optimizer.zero_grad(set_to_none=update == 2)
    y_hat = model(x)
    loss = criterion(y_hat, x.sum(1, keepdim=True))
    loss.backward()
    optimizer.step()
    print(update, loss.item())

report(model, optimizer)
