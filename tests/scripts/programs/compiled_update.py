"""Forward and loss are compiled in one function, which breaks the graph at nothing of ours."""

import torch
from digest import report
from torch import nn
from torch._dynamo.utils import counters

torch.manual_seed(58)
model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.compile(backend="aot_eager", fullgraph=True)
def forward_and_loss(x):
    return nn.functional.mse_loss(model(x), x[:, :1])


for i in range(3):
    optimizer.zero_grad()
    loss = forward_and_loss(torch.randn(6, 4))
    loss.backward()
    optimizer.step()
    print(i, loss.item())

print(dict(counters["stats"]), dict(counters["graph_break"]))
report(model, optimizer)
