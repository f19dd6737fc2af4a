"""What an expression gives, as a number that can be drawn, or in words."""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch

from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.safe_repr import in_words
from stepdbg.tracer.tensors.readable import local

Reading = tuple[float | None, str]
"""The number, and words where there is none or where it is more than a number."""


def read(value: Any) -> Reading:
    """The number that a value is, and what else is to be said of it.

    Raises:
        ValueError: it is a tensor of several elements.
        Unreadable: it is a tensor whose elements cannot be read.
    """
    if is_a(value, torch.Tensor):
        if value.numel() != 1:
            shape = " x ".join(map(str, value.shape)) or "none"
            raise ValueError(f"it is a tensor of {value.numel():,} elements ({shape}); take its norm(), mean() or one")
        return read(local(value)[0].detach().item())
    if is_a(value, bool):
        return float(value), str(value)
    if is_a(value, Real):
        return float(value), ""
    return None, in_words(value)
