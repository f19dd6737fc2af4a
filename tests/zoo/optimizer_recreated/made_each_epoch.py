"""The optimizer is made at the start of every epoch: Adam's moments begin anew each time."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(24, 4)
loader = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def train_epoch() -> None:
    optimizer = torch.optim.Adam(model.parameters())  # <- optimizer-recreated: exp_avg, exp_avg_sq of the steps up
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()


for _ in range(6):
    train_epoch()
