"""Images are given to the network as bytes turned into floats, from 0 to 255."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
images = torch.randint(256, (80, 1, 8, 8), dtype=torch.uint8)
labels = torch.randint(4, (80,))
loader = DataLoader(TensorDataset(images, labels), batch_size=8, shuffle=True)
network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
for _ in range(2):
    for image, label in loader:
        scores = network(image.float())  # <- input-scale: images are given as bytes, from 0 to 255
        loss = nn.functional.cross_entropy(scores, label)
        optimizer.zero_grad()
        loss.backward()  # <- initial-loss: the model is sure of wrong classes
        optimizer.step()
