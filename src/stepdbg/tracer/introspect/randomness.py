"""The generators of random numbers that training draws from, put back after a look that may have drawn from them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """Put every generator that training may draw from back as it was."""
    state, torch_state = random.getstate(), torch.get_rng_state()
    on_device = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # is_available() would spoil a later fork
    device_states = torch.cuda.get_rng_state_all() if on_device else None
    numpy_random = sys.modules.get("numpy.random")
    numpy_state = numpy_random.get_state() if numpy_random is not None else None
    try:
        yield
    finally:
        random.setstate(state)
        torch.set_rng_state(torch_state)
        if device_states is not None:
            torch.cuda.set_rng_state_all(device_states)
        if numpy_random is not None:
            numpy_random.set_state(numpy_state)
