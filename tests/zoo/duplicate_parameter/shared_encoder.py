"""Two optimizers hold the encoder, and both step after one joint loss: the encoder moves twice as far."""

import itertools

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
classify = nn.Linear(8, 3)
reconstruct = nn.Linear(8, 6)
opt_class = torch.optim.Adam(itertools.chain(encoder.parameters(), classify.parameters()), lr=1e-3)
opt_image = torch.optim.Adam(itertools.chain(encoder.parameters(), reconstruct.parameters()), lr=1e-3)
x, labels = torch.randn(32, 6), torch.randint(3, (32,))
for _ in range(25):
    opt_class.zero_grad()
    opt_image.zero_grad()
    code = encoder(x)
    loss = nn.functional.cross_entropy(classify(code), labels) + (reconstruct(code) - x).square().mean()
    loss.backward()
    opt_class.step()
    opt_image.step()  # <- duplicate-parameter: opt_class and opt_image both step encoder.0.weight
