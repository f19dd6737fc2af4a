"""The transform has brought the pixels to 0 to 1 already, and the loop divides by 255 once more."""

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
    x = x / 255
    logits = model(x)  # <- input-scale: inputs are not brought to unit scale before model.0.weight
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
