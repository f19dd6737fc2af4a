"""The schedule is moved between backward and the step, as was right before torch 1.1."""

import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")  # torch warns of it once, among others
torch.manual_seed(0)
net = nn.Linear(5, 1)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
warmup = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / 10))
x = torch.randn(20, 5)
y = x.abs().sum(1, keepdim=True)
for _ in range(20):
    opt.zero_grad()
    loss = nn.functional.l1_loss(net(x), y)
    loss.backward()
    warmup.step()  # <- scheduler-before-step: comes before optimizer.step()
    opt.step()
