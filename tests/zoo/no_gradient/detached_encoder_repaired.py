"""The features of the encoder go to the head, and both are trained."""

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
head = nn.Linear(12, 3)
optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2)
for update in range(10):
    x = torch.randn(16, 6)
    features = encoder(x)
    loss = nn.functional.cross_entropy(head(features), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
