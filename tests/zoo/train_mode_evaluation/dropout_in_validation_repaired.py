"""The model is validated in evaluation mode."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(60, 4)
data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
loader, validation = DataLoader(data, batch_size=20, shuffle=True), DataLoader(data, batch_size=30)
net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(4):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        net.eval()
        errors = []
        for x, y in validation:
            error = nn.functional.mse_loss(net(x), y)
            errors.append(error.item())
    net.train()
    print(sum(errors))
