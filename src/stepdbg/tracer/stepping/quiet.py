"""How tensors are looked at in the middle of a computation: so that nothing which records it sees the looks."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import _disable_current_modes


@contextmanager
def aside(*, within: bool) -> Iterator[None]:
    """Without autograd; `within` a phase also without the user's dispatch modes (a counter of operators), and without
    autocast remembering a weight that was cast for a look, which would then have no gradient.
    """
    with torch.no_grad():
        if not within:
            yield
            return
        remembers = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            with _disable_current_modes():
                yield
        finally:
            torch.set_autocast_cache_enabled(remembers)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without collections of garbage: what a look makes must not set one off.

    It would go over everything that the user's program holds, 0.1 s for a large model, and run their finalisers.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
