"""Distillation: the teacher is in evaluation mode, and nothing is recorded of it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4)).eval()
student = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
inputs = torch.randn(96, 6)
loader = DataLoader(TensorDataset(inputs, inputs[:, :4].argmax(1)), batch_size=8)
for batch, labels in loader:
    logits = student(batch)
    with torch.no_grad():
        soft = torch.softmax(teacher(batch) / 2, dim=1)
    imitation = nn.functional.kl_div(torch.log_softmax(logits / 2, dim=1), soft, reduction="batchmean")
    loss = nn.functional.cross_entropy(logits, labels) + 4 * imitation
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
