"""A model of 100 parameters' tensors that times itself: `hundred_tensors.py UPDATES` prints the ms of an update."""

import statistics
import sys
import time

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(*[layer for _ in range(50) for layer in (nn.Linear(16, 16), nn.Tanh())])
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(8, 16), torch.randn(8, 16)
took = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    took.append(time.perf_counter() - began)
print(statistics.median(took[len(took) // 4 :]) * 1e3)
