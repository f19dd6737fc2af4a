"""The copy of one tensor from before a phase, and the figures of what the phase made of the tensor."""

from __future__ import annotations

import ctypes
from typing import Literal

import torch
from msgspec import Struct

from stepdbg.protocol.messages import Change
from stepdbg.tracer.effects.differences import moved
from stepdbg.tracer.tensors.readable import Unreadable, local, unreadable
from stepdbg.tracer.tensors.statistics import norm


class BeforeCopy(Struct, gc=False):
    """One tensor as it was before a phase. (A msgspec struct that no collector looks at: there may be 100,000.)"""

    content: torch.Tensor | bytes
    """The copy; of a small tensor only its bytes, which takes no operation of torch's."""
    shape: torch.Size
    dtype: torch.dtype
    before: object
    """The fingerprint of the tensor when it was copied."""
    after: object = None
    """The fingerprint that the tensor got; None while it has not been changed."""
    phase: str = ""
    """The phase that changed the tensor; empty while none has."""
    changed_by: Literal["call", "script", "both"] = "call"
    """Whether the phase's call changed the tensor, or what the script did after it."""
    update: int = 0
    """The update of that phase."""
    change: Change | None = None
    """The figures of the change, once they have been asked for."""
    earlier: bytes | None = None
    """The bytes of a small parameter before the step before, of which `before` is the outcome."""

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor as it was, made when it is first looked at."""
        content = self.content
        if isinstance(content, bytes):
            self.content = content = of_bytes(content, self.shape, self.dtype)
        return content

    @property
    def stepped(self) -> bool:
        """Whether the call of a step made the tensor what it has become."""
        return self.phase == "step" and self.changed_by != "script"

    def bytes_on(self, device: torch.device) -> int:
        """The bytes of that device that the copy takes."""
        content = self.content
        if isinstance(content, bytes):
            return len(content) + len(self.earlier or b"") if device.type == "cpu" else 0
        return content.nbytes if content.device == device else 0

    def can_hold(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The memory of this copy, if that tensor can be written into it; a copy that lies on the CPU stays there."""
        content = self.content
        if not isinstance(content, torch.Tensor):
            return None
        alike = content.shape == tensor.shape and content.dtype is tensor.dtype and not content.is_inference()
        return content if alike and (content.device == tensor.device or content.device.type == "cpu") else None

    def change_to(self, whole: torch.Tensor) -> Change:
        """The figures of the change from this copy to what the tensor is now, worked out once."""
        if self.change is None:
            self.change = self._measured(whole)
        return self.change

    def _measured(self, whole: torch.Tensor) -> Change:
        try:
            tensor, _ = local(whole)
            found = moved(tensor, self.tensor)
        except (RuntimeError, TypeError, Unreadable) as error:
            return Change(
                phase=self.phase, whose=self.changed_by, update=self.update, problem=str(unreadable(whole, error))
            )
        figures, size = found.statistics, norm(self.tensor)
        low, high = figures.min, figures.max
        return Change(
            phase=self.phase,
            whose=self.changed_by,
            update=self.update,
            norm=figures.norm,
            largest=None if low is None or high is None else max(-low, high),
            changed=found.changed,
            elements=figures.sampled or tensor.numel(),
            ratio=figures.norm / size if figures.norm is not None and size else None,
        )


def of_bytes(content: bytes, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    """The tensor, on the CPU, whose memory those bytes are."""
    tensor = torch.empty(shape, dtype=dtype, device="cpu")
    ctypes.memmove(tensor.data_ptr(), content, len(content))
    return tensor
