"""A GAN that clears the gradients of both nets before each half of a round, and has two models of one class."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(35)
generator = nn.Linear(2, 3)
discriminator = nn.Linear(3, 1)
d_optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1)
g_optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
loader = DataLoader(torch.randn(8, 3), batch_size=4)


def reset_grad():
    d_optimizer.zero_grad()
    g_optimizer.zero_grad()


for epoch in range(2):
    for real in loader:
        with torch.no_grad():
            fake = generator(torch.randn(4, 2))
        d_loss = discriminator(fake).mean() - discriminator(real).mean()
        reset_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = -discriminator(generator(torch.randn(4, 2))).mean()
        reset_grad()
        g_loss.backward()
        g_optimizer.step()
        print(epoch, d_loss.item(), g_loss.item())

report(generator, discriminator, d_optimizer, g_optimizer)
