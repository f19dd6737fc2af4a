"""The norm to clip at comes from an option whose default means "off", as it is here."""

import torch
from torch import nn

torch.manual_seed(0)
options = {"lr": 0.1, "clip": 0.0}
model = nn.Linear(5, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=options["lr"])
for _ in range(10):
    x = torch.randn(16, 5)
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    if options["clip"]:
        nn.utils.clip_grad_norm_(model.parameters(), options["clip"])
    optimizer.step()
