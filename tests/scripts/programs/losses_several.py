"""Two losses per update, each with a backward of its own through the same graph."""

import torch
from digest import report
from torch import nn

torch.manual_seed(13)
model = nn.Linear(4, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)


def train(batch):
    optimizer.zero_grad()
    scores = model(batch)
    fit_loss = scores[:, 0].sub(1).square().mean()
    sparsity = scores[:, 1].abs().mean()
    fit_loss.backward(retain_graph=True)
    sparsity.backward()
    optimizer.step()
    return fit_loss.item(), sparsity.item()


for _ in range(3):
    print(*train(torch.randn(6, 4)))
report(model, optimizer)
