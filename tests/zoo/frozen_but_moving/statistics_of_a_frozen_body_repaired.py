"""A frozen body in evaluation mode."""

import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU())
body.requires_grad_(False)
model = nn.Sequential(body, nn.Linear(8, 2))
optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
inputs, labels = torch.randn(64, 5) * 3 + 1, torch.randint(2, (64,))
for update in range(20):
    batch = torch.arange(16) + update % 4 * 16
    model.train()
    body.eval()
    loss = nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
