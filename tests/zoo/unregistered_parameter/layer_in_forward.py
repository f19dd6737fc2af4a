"""A projection is made in forward, where the width is known at last: each batch goes through another random one."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)
        self.out = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.conv(x).relu().flatten(1)
        project = nn.Linear(features.shape[1], 8)  # <- unregistered-parameter: Linear is made anew in each forward
        return self.out(project(features).relu())


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
x = torch.randn(64, 1, 10)
loader = DataLoader(TensorDataset(x, (x.mean((1, 2)) > 0).long()), batch_size=16, shuffle=True)
for _ in range(4):
    for xs, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(xs), labels)
        loss.backward()
        optimizer.step()
