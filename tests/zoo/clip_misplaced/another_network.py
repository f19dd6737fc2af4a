"""The head is trained, and the gradients of the frozen body are clipped: it has none."""

import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(4, 8), nn.Tanh()).requires_grad_(False)
head = nn.Linear(8, 1)
model = nn.Sequential(body, head)
optimizer = torch.optim.SGD(head.parameters(), lr=0.05)
x = torch.randn(16, 4)
y = x.prod(1, keepdim=True)
for _ in range(10):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(body.parameters(), 0.5)  # <- clip-misplaced: no optimizer holds any of them
    optimizer.step()
