"""An ODE solved with the adjoint method: the field is called within backward, and outside only under no_grad."""

import torch
from digest import report
from torch import nn

STEPS = 50


class Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, field, *parameters):
        ctx.field = field
        with torch.no_grad():
            for _ in range(STEPS):
                y = y + field(y) / STEPS
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, adjoint):
        (y,) = ctx.saved_tensors
        parameters = tuple(ctx.field.parameters())
        sums = [torch.zeros_like(p) for p in parameters]
        for _ in range(STEPS):
            with torch.enable_grad():
                y = y.detach().requires_grad_()
                slope = ctx.field(y)
                along, *rest = torch.autograd.grad(slope, (y, *parameters), adjoint)
            y = y - slope / STEPS
            adjoint = adjoint + along / STEPS
            sums = [total + part / STEPS for total, part in zip(sums, rest, strict=True)]
        return adjoint, None, *sums


torch.manual_seed(40)
field = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
optimizer = torch.optim.Adam(field.parameters(), lr=0.01)
start = torch.randn(5, 2)
for i in range(2):
    optimizer.zero_grad()
    end = Solve.apply(start, field, *field.parameters())
    loss = (end - 1).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
report(field, optimizer)
