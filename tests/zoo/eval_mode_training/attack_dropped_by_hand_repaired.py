"""The attack's gradients are dropped by hand."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(32, 4), torch.randint(2, (32,))
for _ in range(8):
    model.eval()
    near = x.clone().requires_grad_()
    nn.functional.cross_entropy(model(near), y).backward()
    near = (near + 0.1 * near.grad.sign()).detach()
    for p in model.parameters():
        p.grad = None
    model.train()
    loss = nn.functional.cross_entropy(model(near), y)
    loss.backward()
    optimizer.step()
    for p in model.parameters():
        p.grad = None
