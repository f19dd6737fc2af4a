"""The cross entropy is written out, and a probability is exactly 0: its logarithm is -inf, and 0 times that is NaN."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
inputs = torch.randn(24, 6)
inputs[17] *= 400  # one sample far out
classes = nn.functional.one_hot(torch.randint(3, (24,)), 3).float()
for _ in range(25):
    optimizer.zero_grad()
    probabilities = model(inputs).softmax(dim=1)
    loss = -(classes * torch.log(probabilities)).sum(dim=1).mean()  # <- non-finite: loss is NaN
    loss.backward()
    optimizer.step()
