"""One network is both sides of the temporal difference, and the bootstrapped side is detached."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 4))
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
for update in range(12):
    state, following = torch.randn(16, 3), torch.randn(16, 3)
    action, reward, over = torch.randint(0, 4, (16, 1)), torch.rand(16, 1), (torch.rand(16, 1) > 0.9).float()
    expected = reward + 0.95 * net(following).max(1)[0][:, None] * (1 - over)
    loss = nn.functional.mse_loss(net(state).gather(1, action), expected.detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
