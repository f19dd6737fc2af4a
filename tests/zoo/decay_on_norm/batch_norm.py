"""SGD with weight decay on a convolutional network with batch normalisation."""

import torch
from torch import nn

torch.manual_seed(0)
images, labels = torch.randn(8, 1, 6, 6), torch.randint(2, (8,))
conv = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
sgd = torch.optim.SGD(conv.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
for _ in range(10):
    loss = nn.functional.cross_entropy(conv(images), labels)
    sgd.zero_grad()
    loss.backward()
    sgd.step()  # <- decay-on-norm: sgd decays the weights of normalisations
