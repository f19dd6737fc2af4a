"""A GAN draws samples of one fixed noise without gradients, in training mode on purpose."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3)
opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3)
bce = nn.functional.binary_cross_entropy_with_logits
fixed, ones, zeros = torch.randn(16, 3), torch.ones(16, 1), torch.zeros(16, 1)
for _ in range(12):
    fake = generator(torch.randn(16, 3))
    loss_c = bce(critic(torch.randn(16, 2)), ones) + bce(critic(fake.detach()), zeros)
    opt_c.zero_grad()
    loss_c.backward()
    opt_c.step()
    loss_g = bce(critic(fake), ones)
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    with torch.no_grad():
        samples = generator(fixed)
print(samples.mean().item())
