"""The first steps are of a usual size."""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3)
        self.head = nn.Linear(16, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(images)).mean(dim=(2, 3)))


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
images = torch.rand(48, 1, 6, 6)
sizes = images.mean(dim=(1, 2, 3)).unsqueeze(1) - 0.5
for step in range(20):
    rows = slice(step % 3 * 16, step % 3 * 16 + 16)
    guess = net(images[rows])
    loss = nn.functional.smooth_l1_loss(guess, sizes[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
