"""What stepdbg asks of accelerators, in one place: nothing of it costs a program that uses none.

- While a CUDA graph is recorded nothing may be asked of a device, nor started on it: `capturing()`.
- At a stop each device is waited for once (`settle`), so that what other streams are still writing is there, and an
  error of a kernel of the user's is met here, where it is told as theirs, and not in a read of ours.
- A device is only asked once it is in use: `is_available()` starts the driver, after which a `fork` is of no use.

Not run on a device yet: see the README.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import xxhash

_KINDS = ("cuda", "xpu", "hpu", "mps")
"""Accelerators that have a module of torch's own, as far as is known here."""
_WORDS = 160
"""Characters of an error that are told."""


class _State:
    """What is known of this process's devices."""

    def __init__(self) -> None:
        self.recording = 0
        """CUDA graphs that are being recorded."""
        self.known: set[torch.device] = set()
        """Devices that tensors were seen on."""
        self.failure = ""
        """What a device answered that cannot be waited for any more: its kernels have failed."""


_state = _State()


def module_of(kind: str) -> Any:
    """The module of that kind of device (`torch.cuda`), if the program has begun to use it; else None."""
    module = getattr(torch, kind, None)
    if module is None:
        return None
    begun: Callable[[], bool] | None = getattr(module, "is_initialized", None)
    try:
        return module if begun is None or begun() else None
    except Exception:
        return None


def in_use() -> bool:
    """Whether the program has begun to use an accelerator that computes while the program goes on."""
    return any(getattr(module_of(kind), "Event", None) is not None for kind in _KINDS)


def note(device: torch.device) -> None:
    """A tensor was seen there."""
    if device.type not in ("cpu", "meta"):
        _state.known.add(device)


# ---------------------------------------------------------------- recording


def recording(change: int) -> None:
    """Count the CUDA graphs that are being recorded: one more (1), or one fewer (-1)."""
    _state.recording = max(0, _state.recording + change)


def capturing() -> bool:
    """Whether work is being recorded into a CUDA graph: nothing may be looked at."""
    if _state.recording:
        return True
    cuda = module_of("cuda")
    return cuda is not None and bool(cuda.is_current_stream_capturing())


# ---------------------------------------------------------------- waiting


def settle() -> None:
    """Wait for all devices that tensors were seen on; a failure is kept, to be told once."""
    if not _state.known or capturing():
        return
    for device in _state.known:
        module = module_of(device.type)
        if module is None:
            continue
        try:
            if device.type == "mps":
                module.synchronize()
            else:
                module.synchronize(device)
        except Exception as error:
            _fail(device, error)


def failed(error: BaseException) -> bool:
    """Whether an error is a device's own, after which nothing can be read from it."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error)


def _fail(device: torch.device, error: BaseException) -> None:
    if not _state.failure:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        _state.failure = f"{device}: {lines[0][:_WORDS]}"


def failure() -> str:
    """What a device has answered since this was asked last that cannot be waited for; empty where all is well."""
    found, _state.failure = _state.failure, ""
    return found


# ---------------------------------------------------------------- memory


def free(device: torch.device) -> int:
    """Bytes of a device that could be taken, even where training comes to need as much again as it has needed once.

    What the driver has free, and what torch's allocator holds without need; less what training's peak lies above what
    it needs now. 0 where that cannot be told.
    """
    module = module_of(device.type)
    try:
        if device.type == "mps":
            return max(0, int(module.recommended_max_memory()) - int(module.driver_allocated_memory()))
        unused = int(module.mem_get_info(device)[0]) + int(module.memory_reserved(device))
        return max(0, unused - int(module.max_memory_allocated(device)))
    except Exception:  # a kind of device whose module tells none of it
        return 0


# ---------------------------------------------------------------- random states


def random_states() -> dict[str, int]:
    """Fingerprints of the devices' generators, as far as the devices are in use. Nothing is waited for."""
    found: dict[str, int] = {}
    for kind in _KINDS:
        module = module_of(kind)
        generators = getattr(module, "default_generators", ()) if module is not None else ()
        for number, generator in enumerate(generators):
            try:
                state = generator.get_state()
            except Exception:  # it is used by a graph that is being recorded
                continue
            name = f"torch.{kind} random" if len(generators) == 1 else f"torch.{kind} random {number}"
            found[name] = xxhash.xxh3_64_intdigest(state.numpy().tobytes())
    return found
