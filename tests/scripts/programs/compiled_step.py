"""The optimizer's step is compiled."""

import logging

import torch
from digest import report
from torch import nn
from torch._dynamo.utils import counters

torch._logging.set_logs(all=logging.ERROR)  # a warning of dynamo's bears the time
torch.manual_seed(57)
model = nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(6, 4)


@torch.compile(backend="aot_eager", fullgraph=False)
def step():
    optimizer.step()


for i in range(3):
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    step()
    print(i, loss.item())

print(dict(counters["stats"]), dict(counters["graph_break"]))
report(model, optimizer)
