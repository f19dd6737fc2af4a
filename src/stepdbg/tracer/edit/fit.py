"""Whether a new value fits where it is to go: shapes, types, devices of tensors; kinds of hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors.readable import Unreadable, local

_NONE_OR_BOOL = ("foreach", "fused")
"""Hyperparameters of torch's optimizers for which None means that torch decides."""
_NEVER_NEGATIVE = ("lr", "eps", "weight_decay", "momentum", "alpha", "rho", "lr_decay", "momentum_decay")
_MADE_AT_FIRST_STEP = {"amsgrad": "max_exp_avg_sq", "centered": "grad_avg"}
"""Options that need an entry of the state which is made at a parameter's first step, and never later."""


def numbers_of(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """What an edit of that tensor writes to: the tensor; of a `DTensor` the shard that this rank holds.

    Raises:
        Refused: its elements cannot be written one by one.
    """
    target, note = _local(tensor)
    if any(placement.is_partial() for placement in _placements(tensor)):
        raise Refused(f"{name} is {note}: each element is a sum over the ranks, and cannot be edited on one of them")
    if target.layout is not torch.strided or target.device.type == "meta" or target.is_quantized:
        layout = "quantised" if target.is_quantized else target.layout
        raise Refused(f"{name} is {layout} on {target.device}: such tensors cannot be edited")
    if any(not stride and size > 1 for size, stride in zip(target.shape, target.stride(), strict=True)):
        raise Refused(f"{name} is expanded: its elements share their memory, and cannot be told apart")
    return target


def shard_in_words(tensor: torch.Tensor) -> str:
    """What an edit of a `DTensor` must tell: whose part it is of; empty for any other tensor."""
    _, note = _local(tensor)
    if not note:
        return ""
    sizes = tensor.device_mesh.shape  # type: ignore[attr-defined]
    copies = math.prod(size for size, one in zip(sizes, _placements(tensor), strict=True) if one.is_replicate())
    words = f"It is {note}: slices and old are of that shard."
    if copies > 1:
        words += f" {copies} ranks hold a copy of it, and only this rank's is edited: they will differ."
    return words


def _placements(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tuple(getattr(tensor, "placements", ())) if _local(tensor)[1] else ()


def _local(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    """What of a tensor lies in this process, with a word on the rest.

    Raises:
        Refused: its elements cannot be read, let alone written.
    """
    try:
        return local(tensor)
    except Unreadable as why:
        if tensor.is_meta:  # which has its own word below
            return tensor, ""
        raise Refused(str(why)) from why


def fitted(new: object, target: torch.Tensor) -> torch.Tensor:
    """The new value as a tensor of the target's shape, dtype and device; one number takes the room of one.

    Raises:
        Refused: it does not fit.
    """
    if isinstance(new, (bool, int, float, complex)):
        try:
            made = torch.tensor(new)
        except (ValueError, RuntimeError, OverflowError):
            raise Refused(f"{new} is too large for a tensor") from None
    elif isinstance(new, torch.Tensor):
        made, note = _local(new)
        if note:
            raise Refused(f"the new value is {note}; add .to_local()")
        if made.device != target.device:
            remedy = f"add .to({str(target.device)!r})"
            raise Refused(f"the new value lies on {made.device}, the tensor on {target.device}; {remedy}")
        if made.layout is not torch.strided or made.is_quantized:
            raise Refused(f"the new value is {made.layout}; add .to_dense()")
    elif isinstance(new, (list, tuple)):
        try:
            made = torch.tensor(new)
        except (ValueError, TypeError, RuntimeError, OverflowError) as error:
            raise Refused(f"that is no tensor: {error}") from error
    else:
        raise Refused(f"the expression gives {type(new).__name__}, not a number or a tensor")
    if made.dim() and made.shape != target.shape:
        raise Refused(f"the new value has the shape {tuple(made.shape)}, {tuple(target.shape)} is needed")
    if made.is_complex() and not target.is_complex():
        raise Refused(f"a complex value does not fit into {target.dtype}")
    if made.is_floating_point() and not (target.is_floating_point() or target.is_complex()):
        whole = bool(torch.isfinite(made).all()) and bool((made == made.round()).all())
        if not whole:
            raise Refused(f"the value has a fraction, the tensor holds {target.dtype}")
    if not (target.is_floating_point() or target.is_complex() or target.dtype is torch.bool):
        limits = torch.iinfo(target.dtype)
        if made.numel() and (int(made.max()) > limits.max or int(made.min()) < limits.min):
            raise Refused(f"the value lies outside of {target.dtype} ({limits.min} … {limits.max})")
    made = made.to(device=target.device, dtype=target.dtype)
    if not made.dim():
        return made.expand(target.shape)
    return made.clone()  # it may be a tensor of the training's, or the very one that is written


def fitted_value(new: object, old: object, name: str, key: str = "") -> object:
    """The new value of a hyperparameter or of a number in the state, of the old one's kind.

    Args:
        new: What is to be written.
        old: What is there.
        name: What it is called, for the message.
        key: The hyperparameter.

    Raises:
        Refused: it does not fit.
    """
    if isinstance(new, torch.Tensor) and new.numel() == 1:
        new = new.item()
    if key in _NONE_OR_BOOL:
        if new is not None and not isinstance(new, bool):
            raise Refused(f"{name} is {old!r}: True, False or None is needed")
        return new
    if old is None:
        if new is not None and not isinstance(new, (bool, int, float, str)):
            raise Refused(f"{name} is None: None, a number, a truth value or a text is needed, not {new!r}")
        return new
    if isinstance(old, bool):
        if not isinstance(new, bool):
            raise Refused(f"{name} is {old!r}: True or False is needed")
    elif isinstance(old, (int, float)):
        if isinstance(new, bool) or not isinstance(new, (int, float)) or math.isnan(new):
            raise Refused(f"{name} is {old!r}: a number is needed, not {new!r}")
        new = float(new) if isinstance(old, float) else new
    elif isinstance(old, (tuple, list)):
        if not isinstance(new, (tuple, list)) or len(new) != len(old):
            raise Refused(f"{name} is {old!r}: a tuple of {len(old)} is needed")
        pairs = enumerate(zip(new, old, strict=True))
        new = type(old)(fitted_value(one, known, f"{name}[{place}]") for place, (one, known) in pairs)
    elif type(new) is not type(old):
        raise Refused(f"{name} is {old!r}: a {type(old).__name__} is needed, not {new!r}")
    return new


def misgivings(key: str, new: object, optimizer: Any, group: Mapping[str, Any]) -> Iterator[str]:
    """What the user must know before a hyperparameter gets that value."""
    cls = type(optimizer).__name__
    if key == "lr" and "initial_lr" in group:
        yield "A scheduler drives this learning rate: it goes on from here, or sets its own at its next step."
    numbers = new if isinstance(new, (tuple, list)) else (new,)
    for number in numbers:
        if isinstance(number, (int, float)) and (
            (key in _NEVER_NEGATIVE and number < 0) or (key == "betas" and not 0 <= number < 1)
        ):
            limits = "0 ≤ beta < 1" if key == "betas" else "nothing below 0"
            yield f"{cls} accepts {limits} here when it is made; its step will not ask."
            break
    needed = _MADE_AT_FIRST_STEP.get(key)
    if key == "momentum" and "alpha" in group:
        needed = "momentum_buffer"
    states = [optimizer.state[p] for p in group["params"] if p in optimizer.state]
    if needed is not None and new and any(state and needed not in state for state in states):
        yield f"Step will fail: the state holds no {needed}, which is made at a parameter's first step only."
    if key in _NONE_OR_BOOL and new and group.get("fused" if key == "foreach" else "foreach"):
        yield "Step will fail: foreach and fused exclude each other."
