"""autocast is entered around the loss only: the network itself computes in float32."""

import torch
from torch import nn


def train(updates: int) -> None:
    lstm = nn.LSTM(3, 5, batch_first=True)
    adam = torch.optim.Adam(lstm.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    x = torch.randn(4, 7, 3)
    for _ in range(updates):
        states, _ = lstm(x)
        with torch.autocast("cpu", torch.bfloat16):
            loss = states.square().mean()
        adam.zero_grad()
        scaler.scale(loss).backward()  # <- autocast-off: autocast is off
        scaler.step(adam)
        scaler.update()


torch.manual_seed(0)
train(10)
