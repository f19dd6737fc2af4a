"""The function makes the step, and the loop makes it again. (After mzolfaghari/ECO-pytorch#1: with accumulation, the
step was made within the `if` and once more outside of it.)
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
ACCUMULATE = 2
x = torch.randn(80, 6)
loader = DataLoader(TensorDataset(x, x[:, :1] * 2), batch_size=5)
model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def train_on(inputs: torch.Tensor, targets: torch.Tensor, number: int) -> bool:
    loss = nn.functional.mse_loss(model(inputs), targets) / ACCUMULATE
    loss.backward()
    if number % ACCUMULATE == 0:
        optimizer.step()
    return number % ACCUMULATE == 0


for number, (inputs, targets) in enumerate(loader, 1):
    if train_on(inputs, targets, number):
        optimizer.step()  # <- step-without-backward: has already used these gradients
        optimizer.zero_grad()
