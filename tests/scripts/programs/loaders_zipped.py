"""Semi-supervised: a labelled and an unlabelled loader, zipped."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(46)
labelled = DataLoader(TensorDataset(torch.randn(6, 3), torch.randint(0, 2, (6,))), batch_size=2)
unlabelled = DataLoader(torch.randn(12, 3), batch_size=4)
model = nn.Linear(3, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for (x, y), u in zip(labelled, unlabelled):  # noqa: B905
    optimizer.zero_grad()
    supervised = nn.functional.cross_entropy(model(x), y)
    p = model(u).softmax(1)
    entropy = -(p * p.log()).sum(1).mean()
    total = supervised + 0.1 * entropy
    total.backward()
    optimizer.step()
    print(supervised.item(), entropy.item())

report(model, optimizer)
