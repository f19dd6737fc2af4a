"""The gradients of four micro-batches are averaged."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
ACCUMULATE = 4
data = TensorDataset(torch.randn(96, 6), torch.randint(3, (96,)))
loader = DataLoader(data, batch_size=4, shuffle=True)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for number, (x, labels) in enumerate(loader, 1):
    loss = nn.functional.cross_entropy(model(x), labels)
    (loss / ACCUMULATE).backward()
    if number % ACCUMULATE == 0:
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad()
