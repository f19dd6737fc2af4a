"""The test data are one tensor, and the model is measured on them in evaluation mode every few updates."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(200, 5)
targets = inputs.prod(1, keepdim=True)
x_test, y_test = inputs[150:], targets[150:]
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for update in range(20):
    batch = torch.randint(150, (32,))
    loss = nn.functional.mse_loss(model(inputs[batch]), targets[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 5 == 4:
        model.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(x_test), y_test)
        model.train()
        print(update, error.item())
