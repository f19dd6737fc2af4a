"""A compiled model, with the counters that say whether it broke or was compiled again."""

import torch
from digest import report
from torch import nn
from torch._dynamo.utils import counters

torch.manual_seed(10)
model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1))
compiled = torch.compile(model, backend="aot_eager")
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(8, 4)

for _ in range(3):
    optimizer.zero_grad()
    y_hat = compiled(x)
    loss = y_hat.square().mean()
    loss.backward()
    optimizer.step()
    print(loss.item())

print(dict(counters["stats"]), dict(counters["graph_break"]), dict(counters["recompiles"]))
print(compiled)
report(model, optimizer)
