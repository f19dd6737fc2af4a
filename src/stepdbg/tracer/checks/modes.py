"""Which modules compute something else in training than in evaluation, and in which mode each is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from stepdbg.tracer.introspect.layout import in_training, members_of, modules_of
from stepdbg.tracer.introspect.safe_access import is_a


def drops(module: nn.Module) -> bool:
    """Whether a module zeroes some of what goes through it while it is in training mode."""
    own: Any = object.__getattribute__(module, "__dict__")
    if is_a(module, _DropoutNd):
        return _is_positive(own.get("p"))
    if is_a(module, nn.RNNBase):
        layers = own.get("num_layers")
        return _is_positive(own.get("dropout")) and type(layers) is int and layers > 1
    return is_a(module, nn.MultiheadAttention) and _is_positive(own.get("dropout"))


def normalises_by_batch(module: nn.Module) -> bool:
    """Whether a module takes the statistics of the batch in training mode, and those that it has kept in evaluation."""
    return is_a(module, _NormBase) and members_of(module)[1].get("running_mean") is not None


def takes_statistics_anew(module: nn.Module) -> bool:
    """Whether a batch normalisation is in training mode to take its statistics anew: as a plain mean over all batches
    (torch's `update_bn`), or those of each batch in full (as who averages them himself does).
    """
    if not (normalises_by_batch(module) and in_training(module)):
        return False
    momentum = object.__getattribute__(module, "__dict__").get("momentum", 0.1)
    return momentum is None or (type(momentum) in (int, float) and momentum == 1)


def differs_by_mode(module: nn.Module) -> bool:
    """Whether a module of torch's computes something else in training than in evaluation."""
    return drops(module) or normalises_by_batch(module)


def sensitive(name: str, model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """The modules of a model that differ by mode, each once, with its name and the module that holds it."""
    seen: set[int] = set()
    above: dict[str, nn.Module] = {}
    for path, module in modules_of(model):
        above[path] = module
        if id(module) not in seen and differs_by_mode(module):
            seen.add(id(module))
            holder = path.rstrip(".").rpartition(".")[0]
            yield f"{name}.{path}".rstrip("."), module, above.get(f"{holder}." if holder else "", model)


def modes_of(model: nn.Module) -> set[bool]:
    """In which modes the modules of a model are: True for training."""
    return {in_training(module) for _, module in modules_of(model)}


def _is_positive(value: object) -> bool:
    return type(value) in (int, float) and value > 0  # type: ignore[operator]
