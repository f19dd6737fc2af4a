"""Evaluation under no_grad, under inference_mode, and in eval mode with gradients on."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(37)
x = torch.randn(8, 4)
train_loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=4)
model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.MSELoss()


def evaluate():
    model.eval()
    with torch.no_grad():
        print("no_grad", sum(criterion(model(part), part[:, :1]).item() for part in x.split(4)))
    with torch.inference_mode():
        print("inference_mode", model(x).sum().item())
    print("gradients on", criterion(model(x), x[:, :1]).item())
    model.train()


for _ in range(2):
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
    evaluate()

report(model, optimizer)
