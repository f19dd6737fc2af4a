"""Whether a step can have made anything bad at all: most cannot, and then nothing of what they write need be read.

Of SGD, Adam and AdamW it follows from their formulas. Gradients are below a bound, and were in each step before; the
denominator of Adam is no less than its eps; and what a step moves a parameter by is no more than lr times a constant.
So nothing comes near what a type of 32 bits holds in the life of a training. It does not follow where the script has
written a second moment below zero, or for hyperparameters that nobody trains with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from stepdbg.tracer.introspect.layout import groups_of

SMALL = 100.0
"""Gradients up to which steps are judged so."""
_KNOWN = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
_LEAST_EPS, _MOST_LR = 1e-12, 1e3


def are_sound(optimizers: Iterable[Any]) -> bool:
    """Whether no step of these, as they are set, makes a finite parameter or state bad of small gradients.

    It does not hold of parameters of 16 bits that reach no further than 65,504.
    """
    return all(type(one) in _KNOWN and all(map(_is_sane, groups_of(one))) for one in optimizers)


def _is_sane(group: Mapping[str, Any]) -> bool:
    lr, decay, eps = group.get("lr"), group.get("weight_decay", 0), group.get("eps", 1.0)
    if type(lr) is not float or type(eps) is not float or type(decay) not in (int, float):
        return False
    beta, other = group.get("betas", (group.get("momentum", 0), 0))
    if type(beta) not in (int, float) or type(other) not in (int, float):
        return False
    fine = 0 <= lr <= _MOST_LR and decay >= 0 and lr * decay <= 1 and eps >= _LEAST_EPS
    return bool(fine and 0 <= beta < 1 and 0 <= other < 1)


def has_squares_below_zero(states: Iterable[tuple[Any, Mapping[Any, Any]]]) -> bool:
    """Whether a second moment is negative, which has no root: only a script writes such."""
    return any(
        key in ("exp_avg_sq", "max_exp_avg_sq") and isinstance(value, torch.Tensor) and bool((value < 0).any())
        for _, state in states
        for key, value in state.items()
    )
