"""zero_grad stands after backward: each step is made with nothing. (IDEA-Research/DN-DETR#18 asks about this order.)"""

import torch
from torch import nn

torch.manual_seed(0)
inputs, targets = torch.randn(64, 6), torch.randn(64, 1)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(20):
    prediction = model(inputs)
    loss = nn.functional.mse_loss(prediction, targets)
    loss.backward()
    optimizer.zero_grad()  # <- gradients-cleared-before-step: comes between the backward
    optimizer.step()
    print(epoch, loss.item())
