"""autocast is entered around the network and the loss."""

import torch
from torch import nn


def train(updates: int) -> None:
    lstm = nn.LSTM(3, 5, batch_first=True)
    adam = torch.optim.Adam(lstm.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    x = torch.randn(4, 7, 3)
    for _ in range(updates):
        with torch.autocast("cpu", torch.bfloat16):
            states, _ = lstm(x)
            loss = states.square().mean()
        adam.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()


torch.manual_seed(0)
train(10)
