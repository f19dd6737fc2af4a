"""Model-agnostic meta-learning: an inner update by autograd.grad, the outer one through it."""

import torch
from digest import report
from torch import nn
from torch.func import functional_call

torch.manual_seed(42)
learner = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
meta_optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)

for i in range(3):
    slope = torch.rand(1) * 2
    support, query = torch.randn(5, 1), torch.randn(5, 1)
    meta_optimizer.zero_grad()
    names, weights = zip(*learner.named_parameters(), strict=True)
    inner_loss = nn.functional.mse_loss(learner(support), slope * support)
    gradients = torch.autograd.grad(inner_loss, weights, create_graph=True)
    adapted = {name: w - 0.1 * g for name, w, g in zip(names, weights, gradients, strict=True)}
    meta_loss = nn.functional.mse_loss(functional_call(learner, adapted, (query,)), slope * query)
    meta_loss.backward()
    meta_optimizer.step()
    print(i, inner_loss.item(), meta_loss.item())

report(learner, meta_optimizer)
