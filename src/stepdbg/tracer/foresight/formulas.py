"""What one step moves, taken apart: the contributions of the gradient, the momentum and the weight decay.

The formulas are those of torch's documentation of `torch.optim.SGD`, `Adam`, `AdamW` and `RMSprop`, and of the papers
behind them: Sutskever et al. 2013 (momentum, Nesterov), Kingma & Ba 2015 (Adam), Reddi et al. 2018 (AMSGrad),
Loshchilov & Hutter 2019 (decoupled weight decay), Hinton's lecture 6e and Graves 2013 (RMSprop, centred).

Each move is a sum. What comes of the gradient of this step is *gradient*, what comes of earlier ones by way of a
running average is *momentum*, what pulls towards zero in this step is *decay*. Where a move is divided by a running
average of squares, the divisor is the one that the step uses, the new gradient in it, and is shared by all parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

Numbers = torch.Tensor | float


class Parts(NamedTuple):
    """The moves of some elements of a parameter, each to be added to its value."""

    gain: Numbers
    """What a unit of gradient moves an element by; negative, as a step goes downhill."""
    decay: torch.Tensor | None = None
    momentum: torch.Tensor | None = None


Formula = Callable[[torch.Tensor, torch.Tensor, Mapping[str, Any], Mapping[str, Any]], Parts]
"""Value, gradient (with its sign turned where the step maximizes), state before the step, group → parts."""


def sgd(value: torch.Tensor, grad: torch.Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Parts:
    """`b ← μb + (1 − τ)(g + λw)`, `w ← w − γb`; with Nesterov `w ← w − γ(g + λw + μb)`; the first `b` is `g + λw`."""
    lr, momentum = number(group["lr"]), number(group.get("momentum", 0.0))
    dampening, nesterov = number(group.get("dampening", 0.0)), bool(group.get("nesterov", False))
    buffer = state.get("momentum_buffer")
    fresh, carried = 1.0, 0.0
    if momentum:
        fresh, carried = (1.0, 0.0) if buffer is None else (1 - dampening, momentum)
        if nesterov:
            fresh, carried = 1 + momentum * fresh, momentum * carried
    gain = -lr * fresh
    return Parts(gain, _decay(value, gain, group), None if buffer is None or not momentum else buffer * (-lr * carried))


def adam(value: torch.Tensor, grad: torch.Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Parts:
    """`m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `w ← w − γ m̂ / (√v̂ + ε)`, where `m̂ = m / (1 − β₁ᵗ)`.

    With `decoupled_weight_decay` (AdamW) `w` first shrinks by `γλw`; without it `g` is `g + λw`. AMSGrad divides by the
    largest `v` so far.
    """
    lr, eps = number(group["lr"]), number(group["eps"])
    first, second = (number(beta) for beta in group["betas"])
    step = number(state.get("step", 0)) + 1
    decoupled = bool(group.get("decoupled_weight_decay", False))
    slope = grad if decoupled else _with_decay(value, grad, group)
    squares = slope * slope * (1 - second)
    if (before := state.get("exp_avg_sq")) is not None:
        squares += before * second
    if group.get("amsgrad") and (largest := state.get("max_exp_avg_sq")) is not None:
        squares = torch.maximum(squares, largest)
    divisor = squares.sqrt_().div_((1 - second**step) ** 0.5).add_(eps)
    rate = -lr / (1 - first**step)
    gain = rate * (1 - first) / divisor
    momentum = state.get("exp_avg")
    if momentum is not None:
        momentum = momentum * (rate * first) / divisor
    return Parts(gain, _decay(value, -lr if decoupled else gain, group), momentum)


def rmsprop(value: torch.Tensor, grad: torch.Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Parts:
    """`v ← αv + (1 − α)g²`, `w ← w − γ g / (√v + ε)`, or by way of `b ← μb + g / (√v + ε)`, where `g` is `g + λw`.

    Centred, the square of a running average of `g` is taken from `v` before the root.
    """
    lr, alpha, eps = number(group["lr"]), number(group["alpha"]), number(group["eps"])
    slope = _with_decay(value, grad, group)
    squares = slope * slope * (1 - alpha)
    if (before := state.get("square_avg")) is not None:
        squares += before * alpha
    if group.get("centered"):
        mean = slope * (1 - alpha)
        if (before := state.get("grad_avg")) is not None:
            mean += before * alpha
        squares -= mean * mean
    gain = -lr / squares.sqrt_().add_(eps)
    buffer, momentum = state.get("momentum_buffer"), number(group.get("momentum", 0.0))
    carried = None if buffer is None or momentum <= 0 else buffer * (-lr * momentum)
    return Parts(gain, _decay(value, gain, group), carried)


def number(value: Any) -> float:
    """A hyperparameter or a counter as a number, be it a tensor of one element."""
    return float(value)


def _with_decay(value: torch.Tensor, grad: torch.Tensor, group: Mapping[str, Any]) -> torch.Tensor:
    decay = number(group.get("weight_decay", 0.0))
    return grad + value * decay if decay else grad


def _decay(value: torch.Tensor, gain: Numbers, group: Mapping[str, Any]) -> torch.Tensor | None:
    decay = number(group.get("weight_decay", 0.0))
    return value * decay * gain if decay else None


FORMULAS: dict[str, Formula] = {
    "torch.optim.sgd": sgd,
    "torch.optim.adam": adam,
    "torch.optim.adamw": adam,
    "torch.optim.rmsprop": rmsprop,
}
"""The formulas, by the module of torch's that defines the step."""


def in_signs(module: str, group: Mapping[str, Any]) -> str:
    """The formula of a step as the group has it, in plain characters: `w - lr m / (sqrt(v) + eps)`."""
    decay = bool(number(group.get("weight_decay", 0.0)))
    decoupled = decay and bool(group.get("decoupled_weight_decay"))
    slope = "(g + wd w)" if decay and not decoupled else "g"
    shrunk = "(1 - lr wd) w" if decoupled else "w"
    momentum = number(group.get("momentum", 0.0))
    if module == "torch.optim.sgd":
        buffer = f"(momentum b + {slope.strip('()')})" if momentum else slope
        if momentum and group.get("nesterov"):
            buffer = f"({slope.strip('()')} + momentum b)"
        return f"w - lr {buffer}"
    if module == "torch.optim.rmsprop":
        root = "sqrt(v - mean(g)^2)" if group.get("centered") else "sqrt(v)"
        return f"w - lr (momentum b + {slope} / ({root} + eps))" if momentum else f"w - lr {slope} / ({root} + eps)"
    return f"{shrunk} - lr m / (sqrt({'max v' if group.get('amsgrad') else 'v'}) + eps)"
