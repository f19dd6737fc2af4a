"""Transforms that are modules with no parameters, called for every sample with gradients on."""

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, image):
        return (image - self.mean) / self.std


class Images(Dataset):
    transform = nn.Sequential(Normalize(0.5, 0.25), nn.Flatten(0))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        image = torch.rand(1, 2, 2, generator=torch.Generator().manual_seed(index))
        return self.transform(image), index % 2


torch.manual_seed(39)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
augment = Normalize(0.0, 2.0)

for images, labels in DataLoader(Images(), batch_size=4, shuffle=True):
    images = torch.stack([augment(image) for image in images])
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(images), labels)
    loss.backward()
    optimizer.step()
    print(loss.item())

report(model, optimizer)
