"""An optimizer built before the model, which gets its parameters later, and another built after it over the same."""

import torch
from digest import report
from torch import nn

torch.manual_seed(30)
temperature = torch.ones(1, requires_grad=True)
warmup = torch.optim.SGD([temperature], lr=0.01)
model = nn.Linear(4, 3)
warmup.add_param_group({"params": list(model.parameters()), "lr": 0.1})
x = torch.randn(6, 4)
y = torch.randint(0, 3, (6,))


def train(optimizer, updates):
    for _ in range(updates):
        optimizer.zero_grad()
        logits = model(x) / temperature
        loss = nn.functional.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        print(type(optimizer).__name__, loss.item())


train(warmup, 2)
finetune = torch.optim.Adam([*model.parameters(), temperature], lr=0.01)
train(finetune, 2)
report(model, temperature, warmup, finetune)
