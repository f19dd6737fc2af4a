"""All weights are bfloat16, and the steps are too small for it. (As described in workofart/ml-by-hand#85.)"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(160, 8)
loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=16)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)).to(torch.bfloat16)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
for batch, labels in loader:
    logits = model(batch.to(torch.bfloat16))
    loss = nn.functional.cross_entropy(logits.float(), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()  # <- no-update: too small for bfloat16
