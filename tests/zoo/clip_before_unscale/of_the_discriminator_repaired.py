"""A GAN under a scaler: both gradients are unscaled before they are clipped."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))
discriminator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3)
opt_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
for _ in range(20):
    fake = generator(torch.randn(8, 3))
    opt_d.zero_grad()
    d_loss = bce(discriminator(torch.randn(8, 4)), ones) + bce(discriminator(fake.detach()), zeros)
    scaler.scale(d_loss).backward()
    scaler.unscale_(opt_d)
    params = list(discriminator.parameters())
    torch.nn.utils.clip_grad_value_(params, 0.1)
    scaler.step(opt_d)

    opt_g.zero_grad()
    g_loss = bce(discriminator(fake), ones)
    scaler.scale(g_loss).backward()
    scaler.unscale_(opt_g)
    torch.nn.utils.clip_grad_value_(list(generator.parameters()), 0.1)
    scaler.step(opt_g)
    scaler.update()
