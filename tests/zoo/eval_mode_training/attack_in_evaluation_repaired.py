"""Adversarial training: the attack is made in evaluation mode by autograd.grad, after zero_grad."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(32, 4), torch.randint(2, (32,))
for _ in range(8):
    optimizer.zero_grad()
    model.eval()
    near = (x + 0.01 * torch.randn_like(x)).requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(near), y), near)
    near = (near + 0.1 * gradient.sign()).detach()
    model.train()
    loss = nn.functional.cross_entropy(model(near), y)
    loss.backward()
    optimizer.step()
