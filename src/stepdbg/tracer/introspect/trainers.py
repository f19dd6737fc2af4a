"""What a trainer keeps to itself: the loss that Lightning holds between a training step and its backward.

By then the function that computed it has returned, so that no variable of the user's holds it, and where gradients are
accumulated over several batches it is no longer what that function has returned: `loss / 2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

import torch

from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.stack import local_variables

_LOOP = "/loops/optimization/automatic.py"
"""The file of Lightning's whose `run` leads to a `closure` that calls the training step, and then backward."""


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and the frames that called it, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def closure_loss(frames: Iterable[FrameType]) -> tuple[str, torch.Tensor] | None:
    """The loss that backward is about to be called on, and its name; None where no such closure is being run.

    Args:
        frames: Of the training thread, innermost first.
    """
    loss: Any = None
    for frame in frames:
        code = frame.f_code
        if not code.co_filename.endswith(_LOOP):
            continue
        if code.co_name == "closure" and loss is None:
            loss = _attribute(local_variables(frame).get("step_output"), "closure_loss")
            if not is_a(loss, torch.Tensor):
                return None
        elif code.co_name == "run" and loss is not None:
            trainer = _attribute(local_variables(frame).get("self"), "trainer")
            batches = _attribute(trainer, "accumulate_grad_batches")
            return f"loss / {batches}" if type(batches) is int and batches > 1 else "loss", loss
    return None


def _attribute(thing: Any, name: str) -> Any:
    """An attribute of an object, read without running any code of its class."""
    try:
        return object.__getattribute__(thing, "__dict__").get(name)
    except AttributeError:
        return None
