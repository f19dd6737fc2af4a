"""Gradients are cleared between loss and backward, as much code on the web does it."""

import torch
from digest import report
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
inputs = torch.randn(12, 3)
labels = torch.randint(0, 2, (12,))

for epoch in range(3):
    outputs = net(inputs)
    loss = nn.functional.cross_entropy(outputs, labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"epoch {epoch}: {loss.item():.6f}")

report(net, opt)
