"""A stream of samples is read by two workers, each of which reads its share."""

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class Stream(IterableDataset):
    """Samples of a file, in its order."""

    def __init__(self, samples: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.rows = torch.randn(samples, 4, generator=generator)

    def __iter__(self):
        worker = get_worker_info()
        for row in self.rows[worker.id :: worker.num_workers]:
            yield row[:3], row[3:]


def train() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loader = DataLoader(Stream(48), batch_size=8, num_workers=2)
    for x, y in loader:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    train()
