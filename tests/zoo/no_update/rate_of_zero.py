"""The learning rate is divided as integers are: it is 0."""

import torch
from torch import nn

torch.manual_seed(0)
batch_size, base = 16, 1
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=base * batch_size // 256, momentum=0.9)
for update in range(10):
    x = torch.randn(batch_size, 4)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()  # <- no-update: lr of optimizer is 0
    print(update, loss.item())
