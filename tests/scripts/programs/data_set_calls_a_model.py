"""A data set that calls a frozen model in this very process."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Features(Dataset):
    def __init__(self):
        self.encoder = nn.Linear(3, 3).requires_grad_(False)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with torch.no_grad():
            return self.encoder(torch.full((3,), float(index)))


torch.manual_seed(48)
loader = DataLoader(Features(), batch_size=2)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for features in loader:
    optimizer.zero_grad()
    loss = model(features).square().mean()
    loss.backward()
    optimizer.step()
    print(loss.item())

report(model, optimizer)
