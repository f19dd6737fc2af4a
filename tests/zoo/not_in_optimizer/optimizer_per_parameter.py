"""An optimizer for each parameter, made when its first gradient is there, as Pyro does; one is left out."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
optimizers = {}
for _ in range(8):
    x, y = torch.randn(16, 6), torch.randint(0, 2, (16,))
    nn.functional.cross_entropy(net(x), y).backward()
    for name, parameter in net.named_parameters():
        if name == "0.bias":
            continue
        if name not in optimizers:
            optimizers[name] = torch.optim.Adam([parameter], lr=0.01)
        optimizers[name].step()  # <- not-in-optimizer: net.0.bias gets gradients and is in no optimizer
    net.zero_grad()
