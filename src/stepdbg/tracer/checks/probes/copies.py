"""A probe runs in a forked copy of the process that reaches nothing outside of itself: the main line and its random
states stay as they are, whatever the probe computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import torch

from stepdbg.tracer.introspect.unobserved import as_the_user
from stepdbg.tracer.nonfinite.producers.replay import answered, possible

Answer = dict[str, float | str]
"""What a probe tells."""


def why_not() -> str:
    """Why no probe can run; empty where one can."""
    if why := possible():
        return why
    on_device: Any = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # is_available() would spoil a fork
    return "a device takes part, which no copy of the process can use" if on_device else ""


def in_a_copy(look: Callable[[], Answer]) -> tuple[Answer, str]:
    """What `look` tells in a copy, with gradients; and why it tells nothing, where it does not."""

    def run() -> bytes:
        with as_the_user():
            torch._C._set_grad_enabled(True)
            return msgspec.json.encode(look())

    data, failure = answered(run)
    return ({} if failure else msgspec.json.decode(data, type=Answer)), failure
