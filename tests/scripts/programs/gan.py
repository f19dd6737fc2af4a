"""A GAN: the discriminator has two backwards and one step, then the generator has its own."""

import torch
from digest import report
from torch import nn

torch.manual_seed(34)
netG = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
netD = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
optimizerD = torch.optim.Adam(netD.parameters(), lr=0.01, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=0.01, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(6, 1), torch.zeros(6, 1)

for i in range(3):
    optimizerD.zero_grad()
    errD_real = criterion(netD(torch.randn(6, 3)), ones)
    errD_real.backward()
    fake = netG(torch.randn(6, 2))
    errD_fake = criterion(netD(fake.detach()), zeros)
    errD_fake.backward()
    optimizerD.step()
    optimizerG.zero_grad()
    errG = criterion(netD(fake), ones)
    errG.backward()
    optimizerG.step()
    print(i, errD_real.item(), errD_fake.item(), errG.item())

report(netD, netG, optimizerD, optimizerG)
