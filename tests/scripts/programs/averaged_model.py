"""Stochastic weight averaging: AveragedModel, SWALR, and update_bn's passes at the end."""

import torch
from digest import report
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(9)
x = torch.randn(8, 3)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4)
model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
swa_model = AveragedModel(model)
swa_scheduler = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)

for epoch in range(2):
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
    swa_model.update_parameters(model)
    swa_scheduler.step()
    print(epoch, loss.item())

update_bn(loader, swa_model)
swa_model.eval()
with torch.no_grad():
    print(swa_model(x).sum().item())
report(model, swa_model, optimizer)
