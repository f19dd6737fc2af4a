"""A persistent worker, started by spawn; the data set calls a model for each sample, gradients on."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Features(Dataset):
    def __init__(self):
        self.encoder = nn.Linear(3, 3)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.encoder(torch.full((3,), float(index))).detach()


def main():
    torch.manual_seed(47)
    loader = DataLoader(
        Features(), batch_size=4, num_workers=1, multiprocessing_context="spawn", persistent_workers=True
    )
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(2):
        for x in loader:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            print(epoch, loss.item(), flush=True)
    report(model, optimizer)


if __name__ == "__main__":
    main()
