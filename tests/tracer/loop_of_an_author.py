"""A loop as its author wrote it, with what its author would tell of it, and what every such loop begins with."""

from __future__ import annotations

from typing import NamedTuple

PRELUDE = """
import itertools, torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(8, 4), torch.randn(8, 1)
net, other = nn.Linear(4, 1), nn.Linear(4, 4)
def sgd(*models):
    return optim.SGD(itertools.chain(*(model.parameters() for model in models)), lr=0.01)
def data(batch_size=4):
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)
"""
PLAIN = "zero_grad forward loss backward step"
HAND = "forward loss backward step"
GAN = f"{PLAIN} {PLAIN}"
LAZY = """
        class Config:
            def __getattr__(self, name):
                self.__dict__[name] = made = sgd({"critic": net, "maker": other}[name])
                return made
        config = Config()
"""


class Loop(NamedTuple):
    """One of them."""

    code: str
    updates: list[str]
    epochs: tuple[int, ...] = ()
