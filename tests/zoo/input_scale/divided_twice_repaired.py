"""The transform alone divides by 255."""

import torch
from torch import nn

torch.manual_seed(0)


def to_tensor(image: torch.Tensor) -> torch.Tensor:
    return image.float().div(255).flatten(1)


images = to_tensor(torch.randint(256, (64, 7, 7), dtype=torch.uint8))
labels = torch.randint(3, (64,))
model = nn.Sequential(nn.Linear(49, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters())
for step in range(20):
    x, y = images[step % 4 :: 4], labels[step % 4 :: 4]
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
