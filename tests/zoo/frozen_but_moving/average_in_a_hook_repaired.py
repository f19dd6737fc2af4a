"""An average of the weights, all frozen, is moved by a hook of the step."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
average = copy.deepcopy(model).requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def follow(*_):
    with torch.no_grad():
        for a, b in zip(average.parameters(), model.parameters(), strict=False):
            a.lerp_(b, 0.1)


optimizer.register_step_post_hook(follow)
x, y = torch.randn(32, 4), torch.randint(2, (32,))
for _ in range(8):
    optimizer.zero_grad()
    with torch.no_grad():
        soft = average(x).softmax(1)
    loss = nn.functional.cross_entropy(model(x), soft)
    loss.backward()
    optimizer.step()
