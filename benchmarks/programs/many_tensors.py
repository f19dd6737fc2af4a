"""A model of 100,000 parameters' tensors in 12,500 blocks: how many tensors a stop and a screen bear."""

import torch
from torch import nn

torch.manual_seed(0)


class Block(nn.Module):
    """Eight small parameters that add a little to what flows through."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 2), nn.Linear(2, 4)


class Many(nn.Module):
    """Only the first blocks are computed with; a step goes over all of them."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Through eight blocks, and past all others with a gradient of zero."""
        for block in self.blocks[:8]:
            x = x + block.down(block.up(block.norm(block.mix(x))))
        return x


model = Many(12_500)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
x = torch.randn(8, 4)

for _ in range(1000):
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    for parameter in model.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
