"""What a step has made of a parameter that was finite: by which term of the update it came to be NaN or infinite.

All was finite before the step, as far as it was looked at: what is bad beside the parameter says where it came in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group, states_of
from stepdbg.tracer.introspect.plain import key_in_words, number_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.nonfinite.elements import Bad, bad_elements, plain
from stepdbg.tracer.nonfinite.producers.operands import number
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry

_SQUARES = ("exp_avg_sq", "square_avg", "sum", "max_exp_avg_sq")
"""States that add up squares of gradients, of which the step takes the root."""
_MOST_BITS = 1_000
"""Of an integer: a larger one is no float."""


def spoilt_by_step(parameter: torch.Tensor, bad: Bad, registry: Registry) -> Producer | None:
    """Who has stepped, and by which term the parameter went bad; None where no optimizer holds it."""
    for named, optimizer in registry.optimizers():
        for group in groups_of(optimizer):
            if any(one is parameter for one in parameters_of_group(group)):
                state = next((state for one, state in states_of(optimizer) if one is parameter), {})
                why = "; ".join(_terms(parameter, bad, group, state))
                return Producer(f"step of {named.name or type(optimizer).__name__}", why, certain=bool(why))
    return None


def _terms(parameter: torch.Tensor, bad: Bad, group: dict[str, Any], state: dict[Any, Any]) -> Iterator[str]:
    """What of the update is bad or makes it so, the first that there is."""
    for key, value in group.items():
        if key != "params" and (figure := _figure(value)) is not None and not math.isfinite(figure):
            yield f"its {key} is {number(figure)}"
            return
    grad = gradient(parameter)
    found = [("gradient", _at(grad, bad))] if grad is not None else []
    found += [(key_in_words(key), _at(value, bad)) for key, value in state.items() if isinstance(value, torch.Tensor)]
    known = {name: value for name, value in found if value is not None}
    for name, value in known.items():
        if name in _SQUARES and value < 0:
            yield f"its {name} is {number(value)} there, and has no root"
            return
    spoilt = [(name, value) for name, value in known.items() if not math.isfinite(value)]
    if spoilt:
        yield " and ".join(f"its {name} is {number(value)}" for name, value in spoilt) + " there"
        return
    figures = [f"{name} {number(value)}" for name, value in known.items() if name != "step"]
    lr = _figure(group.get("lr"))
    if lr is not None:
        figures.insert(0, f"lr {number(lr)}")
    if _figure(group.get("eps")) == 0:
        figures.append("eps 0")
    if figures:
        yield f"with {', '.join(figures)} there"


def of_state(state: torch.Tensor, registry: Registry) -> Producer | None:
    """What has made an entry of optimizer state bad in a step: the gradient of its parameter, or a hyperparameter."""
    bad = bad_elements(state, infinite=True)
    for named, optimizer in registry.optimizers():
        for parameter, entries in states_of(optimizer):
            key = next((key for key, value in entries.items() if value is state), None)
            if key is None or bad is None:
                continue
            grad = gradient(parameter)
            value = _at(grad, bad) if grad is not None else None
            name = key_in_words(key)
            why = ""
            if value is not None:
                square = name in _SQUARES and not bad.nan
                beyond = f", whose square is beyond what {str(state.dtype)[6:]} holds" if square else ""
                why = f"the gradient is {number(value)} there{beyond}"
            return Producer(f"step of {named.name or type(optimizer).__name__}", why, certain=bool(why))
    return None


def _at(tensor: torch.Tensor, bad: Bad) -> float | None:
    numbers = plain(tensor)
    if numbers is None or numbers.is_complex():
        return None
    try:
        return float(numbers[bad.at]) if numbers.dim() == len(bad.at) else float(numbers)
    except (RuntimeError, IndexError):
        return None


def _figure(value: Any) -> float | None:
    """The value of a hyperparameter that is a number."""
    if is_a(value, torch.Tensor):
        value = value.item() if value.numel() == 1 and not value.is_meta else None
    found = number_of(value)
    if isinstance(found, complex) or found is None or (type(found) is int and found.bit_length() > _MOST_BITS):
        return None
    return float(found)
