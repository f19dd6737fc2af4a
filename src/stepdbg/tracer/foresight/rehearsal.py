"""A step of one of torch's other optimizers, rehearsed: its own code run over copies of some elements and their state.

Nothing of the optimizer is touched: what runs is the bare `step` of its class (no hook, no profiler, no wrapper) on an
object that holds the copies only. That is right where each element moves by itself; an optimizer that looks at a whole
matrix is rehearsed on the whole one.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

_BY_ELEMENT = ("adadelta", "adagrad", "adamax", "asgd", "nadam", "radam", "rprop")
_BY_MATRIX = ("_adafactor", "_muon")


def module_of_step(optimizer: Any) -> str:
    """The module that defines the code of its step; empty where it is not torch's alone."""
    kind = type(optimizer)
    step, prepare = inspect.unwrap(kind.step), getattr(kind, "_init_group", None)
    modules = {one.__module__ for one in (step, prepare) if one is not None}
    return modules.pop() if len(modules) == 1 and step.__module__.startswith("torch.optim.") else ""


def moves_by_element(module: str) -> bool:
    """Whether each element moves by itself, so that some of them can be rehearsed without the others."""
    return module.removeprefix("torch.optim.") in _BY_ELEMENT


def moves_by_matrix(module: str) -> bool:
    """Whether it can be rehearsed, but with all elements only."""
    return module.removeprefix("torch.optim.") in _BY_MATRIX


def rehearsed(
    optimizer: Any, group: Mapping[str, Any], value: torch.Tensor, grad: torch.Tensor, state: Mapping[str, Any]
) -> torch.Tensor:
    """The value after a step.

    Args:
        optimizer: Whose code is run.
        group: The hyperparameters.
        value: Elements of the parameter; a copy that the step may write to.
        grad: Their gradient; a copy as well.
        state: Their state; copied here.
    """
    parameter = torch.nn.Parameter(value, requires_grad=False)
    parameter.grad = grad
    double = object.__new__(type(optimizer))
    double.__dict__ = dict(vars(optimizer))
    double.param_groups = [{**{k: _own(v) for k, v in group.items() if k != "params"}, "params": [parameter]}]
    double.state = defaultdict(dict)
    if state:
        double.state[parameter] = {key: _own(entry) for key, entry in state.items()}
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(double)
    return parameter.detach()


def _own(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
