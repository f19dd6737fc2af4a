"""Exceptions in every phase, caught by the script, whose tracebacks it prints."""

import traceback

import torch
from digest import report
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Broken(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise KeyError(index)


torch.manual_seed(51)
model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def attempt(what):
    try:
        what()
    except Exception:
        print(traceback.format_exc())


def update():
    optimizer.zero_grad()
    loss = model(torch.randn(4, 3)).square().mean()
    loss.backward()
    optimizer.step()


def backward_twice():
    optimizer.zero_grad()
    out = model(torch.randn(4, 3))
    loss = out.square().mean()
    loss.backward()
    loss.backward()


update()
attempt(lambda: model(torch.randn(4, 5)))
update()
attempt(backward_twice)
attempt(lambda: optimizer.step(closure=lambda: 1 / 0))
attempt(lambda: next(iter(DataLoader(Broken()))))
attempt(lambda: torch.optim.SGD(model.parameters(), lr=-1))
attempt(lambda: nn.utils.clip_grad_norm_(model.parameters(), "nan", error_if_nonfinite="x"))
attempt(lambda: torch.autograd.grad(torch.ones(1), torch.ones(1)))
update()
report(model, optimizer)
