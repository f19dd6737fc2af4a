"""The cross entropy is written out with the logarithm of a softmax, which is never -inf."""

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
    log_probabilities = model(inputs).log_softmax(dim=1)
    loss = -(classes * log_probabilities).sum(dim=1).mean()
    loss.backward()
    optimizer.step()
