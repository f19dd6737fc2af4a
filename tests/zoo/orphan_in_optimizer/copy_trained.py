"""The model is copied after its optimizer was made, and the copy is trained: the optimizer steps the original's."""

import copy

import torch
from torch import nn


def make() -> tuple[nn.Module, torch.optim.Optimizer]:
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    return copy.deepcopy(net).float(), optimizer


def main() -> None:
    torch.manual_seed(1)
    network, optimizer = make()
    x = torch.randn(20, 3)
    y = x.sin().sum(1, keepdim=True)
    for _ in range(25):
        network.zero_grad()
        loss = nn.functional.huber_loss(network(x), y)
        loss.backward()
        optimizer.step()  # <- orphan-in-optimizer: optimizer holds 4 parameters that no model has any more


main()
