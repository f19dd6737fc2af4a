"""The gradients are clipped before the step."""

import torch
from torch import nn

torch.manual_seed(0)
rnn = nn.LSTM(4, 8)
head = nn.Linear(8, 4)
parameters = [*rnn.parameters(), *head.parameters()]
optimizer = torch.optim.RMSprop(parameters, lr=1e-3)
sequence = torch.randn(12, 3, 4)
for _ in range(20):
    optimizer.zero_grad()
    loss = (head(rnn(sequence[:-1])[0]) - sequence[1:]).square().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 0.25)
    optimizer.step()
