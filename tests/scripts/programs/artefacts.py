"""What a script saves, copies and prints, byte by byte."""

import copy
import hashlib
import io
import pickle
import pickletools

import torch
from digest import report
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.body(x))


def show(name, data):
    print(name, len(data), hashlib.sha256(data).hexdigest())


def saved(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


torch.manual_seed(50)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(6, 4)).square().mean()
    loss.backward()
    optimizer.step()
    show("model", saved(model))
    show("optimizer", saved(optimizer))
    show("states", saved({"model": model.state_dict(), "optimizer": optimizer.state_dict()}))
    pickled = pickle.dumps((model, optimizer))  # holds addresses of tensors, so its bytes differ from run to run
    print(len(pickled), [value for _, value, _ in pickletools.genops(pickled) if isinstance(value, str)])
    copied = copy.deepcopy(model)
    show("copy", saved(copied))
    print(model, optimizer, sorted(vars(model)), sorted(vars(copied)), sorted(vars(optimizer)))
    print([name for name, value in vars(model).items() if "hook" in name and value])
    print(list(model.named_modules())[-1], sorted(loss.__dict__), loss)

report(model, copied, optimizer)
