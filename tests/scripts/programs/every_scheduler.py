"""Each LRScheduler that torch has, with an optimizer of its own, for two updates."""

import warnings

import torch
from digest import report
from torch import nn
from torch.optim import lr_scheduler as s
from torch.optim.swa_utils import SWALR

warnings.simplefilter("error")
MAKE = {
    "ChainedScheduler": lambda o: s.ChainedScheduler([s.ConstantLR(o), s.ExponentialLR(o, 0.9)], optimizer=o),
    "ConstantLR": lambda o: s.ConstantLR(o, total_iters=1),
    "CosineAnnealingLR": lambda o: s.CosineAnnealingLR(o, T_max=4),
    "CosineAnnealingWarmRestarts": lambda o: s.CosineAnnealingWarmRestarts(o, T_0=1),
    "CyclicLR": lambda o: s.CyclicLR(o, base_lr=0.01, max_lr=0.1),
    "ExponentialLR": lambda o: s.ExponentialLR(o, gamma=0.5),
    "LambdaLR": lambda o: s.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "LinearLR": lambda o: s.LinearLR(o, total_iters=3),
    "MultiStepLR": lambda o: s.MultiStepLR(o, milestones=[1]),
    "MultiplicativeLR": lambda o: s.MultiplicativeLR(o, lambda epoch: 0.9),
    "OneCycleLR": lambda o: s.OneCycleLR(o, max_lr=0.1, total_steps=4),
    "PolynomialLR": lambda o: s.PolynomialLR(o, total_iters=4),
    "ReduceLROnPlateau": lambda o: s.ReduceLROnPlateau(o, patience=0),
    "SWALR": lambda o: SWALR(o, swa_lr=0.01),
    "SequentialLR": lambda o: s.SequentialLR(o, [s.ConstantLR(o), s.ExponentialLR(o, 0.9)], milestones=[1]),
    "StepLR": lambda o: s.StepLR(o, step_size=1),
}


def subclasses(kind):
    for sub in kind.__subclasses__():
        yield from (sub, *subclasses(sub))


assert {kind.__name__ for kind in subclasses(s.LRScheduler)} - {"_LRScheduler"} == set(MAKE)
torch.manual_seed(20)
model = nn.Linear(3, 1)
x = torch.randn(6, 3)
for name, make in MAKE.items():
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    scheduler = make(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        if name == "ReduceLROnPlateau":
            scheduler.step(loss.item())
        else:
            scheduler.step()
        print(name, optimizer.param_groups[0]["lr"], loss.item())
report(model, optimizer)
