"""The mean of several losses is made as a new tensor: it has the values, and no graph."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(80, 5)
loader = DataLoader(TensorDataset(x, x[:, :2] * 3), batch_size=8)
model = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def joined(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    parts = [nn.functional.l1_loss(prediction, target), nn.functional.mse_loss(prediction, target)]
    values = [part.item() for part in parts]  # <- backward-without-graph: by item()
    return torch.tensor(values, requires_grad=True).mean()


for inputs, targets in loader:
    optimizer.zero_grad()
    loss = joined(model(inputs), targets)
    loss.backward()
    optimizer.step()
