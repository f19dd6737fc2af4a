"""`stepdbg.watch`: what can be drawn is handed on to the chart, and what cannot is told once."""

from __future__ import annotations

import numbers

import torch

from stepdbg.protocol.page import WATCH_NAMES
from stepdbg.tracer.session.losses import Losses


class Watches:
    """Knows which names are watched, and which were refused."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._names: set[str] = set()
        self._refused: set[str] = set()

    def take(self, name: object, value: object, update: int) -> str | None:
        """Draw a value, or say why that cannot be done; None where that was said before."""
        problem = self._problem(name, value)
        if problem is None and isinstance(name, str):
            try:
                if isinstance(value, torch.Tensor):
                    self._losses.read(value.detach(), name, update, watched=True)
                else:
                    self._losses.take(float(value), name, update, watched=True)  # type: ignore[arg-type]  # a real number
            except Exception as error:  # a tensor inside vmap, an integer beyond all floats
                problem = f"stepdbg.watch({name!r}, …) is not drawn: {type(error).__name__}: {error}"
        if problem is None:
            return None
        known = str(name)
        if known in self._refused:
            return None
        self._refused.add(known)
        return problem

    def _problem(self, name: object, value: object) -> str | None:
        if not isinstance(name, str) or not name:
            return f"stepdbg.watch({name!r}, …) is not drawn: the name must be a string"
        if name not in self._names:
            if len(self._names) >= WATCH_NAMES:
                return f"stepdbg.watch({name!r}, …) is not drawn: at most {WATCH_NAMES} values can be watched"
            self._names.add(name)
        what = ""
        if isinstance(value, torch.Tensor):
            if value.numel() != 1:
                what = f"a tensor of {value.numel():,} elements; take one of it, or its mean() or norm()"
            elif value.is_complex():
                what = "a complex tensor; take its abs() or real"
            elif value.is_meta:
                what = "a tensor with no data (it is on the meta device)"
        elif not isinstance(value, numbers.Real):
            what = f"a {type(value).__name__}; give a number or a tensor of one element"
        return f"stepdbg.watch({name!r}, …) is not drawn: the value is {what}" if what else None
