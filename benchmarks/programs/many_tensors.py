"""A model of 100,000 parameters' tensors in 12,500 blocks: how many tensors a stop and a screen bear."""

from typing import Any

import torch
from torch import nn

torch.manual_seed(0)


class Everywhere(torch.autograd.Function):
    """Nothing, whose gradient with respect to each element of each tensor is one."""

    @staticmethod
    def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
        """Zero."""
        ctx.shapes = [tensor.shape for tensor in tensors]
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        """Ones."""
        return tuple(torch.ones(shape) for shape in ctx.shapes)


class Block(nn.Module):
    """Eight small parameters that add a little to what flows through."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 2), nn.Linear(2, 4)


class Many(nn.Module):
    """Only the first blocks are computed with; backward and a step go over all of them."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Through eight blocks, and past all others."""
        for block in self.blocks[:8]:
            x = x + block.down(block.up(block.norm(block.mix(x))))
        return x + Everywhere.apply(*self.parameters())


model = Many(12_500)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
x = torch.randn(8, 4)

for _ in range(1000):
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
