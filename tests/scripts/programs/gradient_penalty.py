"""A critic with a gradient penalty: autograd.grad with a graph of its own, then backward through it."""

import torch
from digest import report
from torch import nn

torch.manual_seed(41)
critic = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)

for i in range(3):
    real, fake = torch.randn(4, 3), torch.randn(4, 3)
    optimizer.zero_grad()
    wasserstein = critic(fake).mean() - critic(real).mean()
    between = torch.lerp(real, fake, torch.rand(4, 1)).requires_grad_()
    scores = critic(between)
    ones = torch.ones_like(scores)
    (slopes,) = torch.autograd.grad(scores, between, ones, create_graph=True)
    penalty = (slopes.norm(dim=1) - 1).square().mean()
    critic_loss = wasserstein + 10 * penalty
    critic_loss.backward()
    optimizer.step()
    print(i, wasserstein.item(), penalty.item())

report(critic, optimizer)
