"""The running loss is a sum of tensors: it holds on to the graph of each of them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(120, 4)
loader = DataLoader(TensorDataset(inputs, (inputs[:, 0] > 0).long()), batch_size=10, shuffle=True)
model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def train_epoch() -> float:
    running_loss = 0.0
    for x, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss * len(x)  # <- graph-kept-alive: running_loss keeps the graphs of earlier updates
    return float(running_loss) / len(inputs)


for _ in range(2):
    print(train_epoch())
