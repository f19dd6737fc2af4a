"""The limit is scaled instead of the gradients; and another measures only."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for i in range(8):
    x, y = torch.randn(16, 6), torch.randn(16, 1)
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    scaler.scale(loss).backward()
    if i % 2:
        norm = nn.utils.clip_grad_norm_(net.parameters(), float("inf")) / scaler.get_scale()
    else:
        nn.utils.clip_grad_norm_(net.parameters(), 1.0 * scaler.get_scale())
    scaler.step(opt)
    scaler.update()
