"""The model ends in a softmax, and cross_entropy takes another one: the loss cannot come near 0."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x, labels = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(25):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), labels)  # <- activated-logits: given the output of softmax
    loss.backward()
    optimizer.step()
