"""An iterable data set behind a wrapper that is always one batch ahead."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Stream(IterableDataset):
    def __iter__(self):
        generator = torch.Generator().manual_seed(5)
        for _ in range(6):
            yield torch.randn(3, generator=generator)


class Prefetcher:
    def __init__(self, loader):
        self.loader = loader

    def __iter__(self):
        batches = iter(self.loader)
        ahead = next(batches)
        for following in batches:
            yield ahead
            ahead = following
        yield ahead


torch.manual_seed(49)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for batch in Prefetcher(DataLoader(Stream(), batch_size=2)):
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    print(loss.item())

report(model, optimizer)
