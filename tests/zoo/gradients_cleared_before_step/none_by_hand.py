"""A helper sets all gradients to None before the clipped step, where it was meant to do so after it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Trainer:
    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 3))
        self.optim = torch.optim.AdamW(self.net.parameters(), lr=1e-2)

    def apply(self) -> None:
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for parameter in self.net.parameters():
            parameter.grad = None  # <- gradients-cleared-before-step: the script at none_by_hand.py:18 comes between
        self.optim.step()

    def fit(self, loader: DataLoader) -> None:
        for inputs, labels in loader:
            loss = nn.functional.cross_entropy(self.net(inputs), labels)
            loss.backward()
            self.apply()
            print(loss.item())


x = torch.randn(96, 5)
Trainer().fit(DataLoader(TensorDataset(x, x[:, :3].argmax(1)), batch_size=8))
