"""One scheduler per batch, another per epoch that looks at the validation loss."""

import torch
from digest import report
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)
x = torch.randn(8, 4)
train_loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=4, shuffle=True)
valid_loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=4)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
per_batch = CosineAnnealingWarmRestarts(optimizer, T_0=2)
per_epoch = ReduceLROnPlateau(optimizer, patience=0)


def validate():
    model.eval()
    with torch.no_grad():
        return sum(nn.functional.mse_loss(model(a), b).item() for a, b in valid_loader)


for epoch in range(2):
    model.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(a), b)
        loss.backward()
        optimizer.step()
        per_batch.step()
    per_epoch.step(validate())
    print(epoch, loss.item(), optimizer.param_groups[0]["lr"])
report(model, optimizer)
