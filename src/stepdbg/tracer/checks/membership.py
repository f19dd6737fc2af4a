"""Which optimizer holds which parameter, and which parameter is in which model: told by identity."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.optim import Optimizer

from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, parameters_in
from stepdbg.tracer.introspect.safe_access import is_a


def in_optimizers(moment: Moment) -> set[int]:
    """The `id` of all that optimizers hold, tensors that stand in a group under a name of their own included."""
    held = {id(one) for _, optimizer in moment.optimizers for one in optimized_by(optimizer)}
    groups = [group for _, optimizer in moment.optimizers for group in groups_of(optimizer)]
    return held | {id(one) for group in groups for one in group.values() if is_a(one, torch.Tensor)}


def in_models(moment: Moment) -> set[int]:
    """The `id` of the parameters of all models that were called or are in sight."""
    return {id(one) for _, model in moment.models for one in parameters_in(model)}


def trained_by_nobody(moment: Moment) -> list[str]:
    """The parameters that require a gradient and got one in this update, and are in no optimizer."""
    held = in_optimizers(moment)
    return [
        name
        for name, tensor in moment.parameters.items()
        if moment.reached.get(name, -1) >= moment.update and tensor.requires_grad and id(tensor) not in held
    ]


def orphans_of(moment: Moment, optimizer: Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    """What an optimizer holds and no model has, no variable refers to, and no backward has reached so far."""
    own, names = in_models(moment), moment.name_of
    for one in optimized_by(optimizer):
        name = names.get(id(one), "")
        if id(one) not in own and id(one) not in moment.registry.scope and name not in moment.reached:
            yield name, one
