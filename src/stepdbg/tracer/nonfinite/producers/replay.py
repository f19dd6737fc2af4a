"""The same call of a model once more, in a forked child: operator by operator, and its backward node by node.

The script's own code runs in it, and nothing of that reaches the script or a file (`sealed`). What it finds comes back
over a pipe. It is no use where a device or other processes take part in the call: none of that survives a fork.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import msgspec
import torch

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.nonfinite.producers.sealed import seal

_SECONDS = 20.0
"""The longest that a child may take."""
_MOST_BYTES = 1 << 16
_FOUND, _MET = b"+", b"-"
"""How an answer begins: with what was looked for, or with what was met instead."""

forking = False
"""True while the child is made and in it: nothing of ours follows it as a training process."""


class Replayed(msgspec.Struct, frozen=True):
    """What a child has found."""

    producer: Producer | None = None
    same: bool = True
    """Whether what was looked for turned up again."""
    failure: str = ""
    """What the child has met instead."""


def possible() -> str:
    """Why a call cannot be made again; empty where it can."""
    if not hasattr(os, "fork"):
        return "a process cannot be forked here"
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "other processes take part in the call"
    return ""


def in_child(look: Callable[[], Replayed]) -> Replayed:
    """What `look` gives in a child."""
    data, failure = answered(lambda: msgspec.json.encode(look()))
    return Replayed(None, False, failure) if failure else msgspec.json.decode(data, type=Replayed)


def answered(look: Callable[[], bytes]) -> tuple[bytes, str]:
    """What `look` gives in a child, and what the child has met instead; empty where it has met nothing."""
    global forking
    read, write = os.pipe()
    forking = True
    try:
        child = os.fork()
        if child == 0:
            _look(look, write)
    finally:
        forking = False
        os.close(write)
    try:
        return _answer(read, child)
    finally:
        os.close(read)


def _look(look: Callable[[], bytes], write: int) -> None:
    """The whole life of the child."""
    try:
        with suppress(OSError):
            with open("/proc/self/oom_score_adj", "w") as score:  # where memory runs out, the child goes first
                score.write("1000")
        torch.set_num_threads(1)  # the other threads have not come along
        seal(write)
        try:
            found = _FOUND + look()
        except BaseException as error:
            found = _MET + f"{type(error).__name__}: {str(error)[:200]}".encode()
        os.write(write, found[:_MOST_BYTES])
    except BaseException:
        pass
    finally:
        os._exit(0)


def _answer(read: int, child: int) -> tuple[bytes, str]:
    """What the child has written; it is ended where it takes too long."""
    data, until = b"", monotonic() + _SECONDS
    while (left := until - monotonic()) > 0:
        ready, _, _ = select.select([read], [], [], left)
        if not ready:
            break
        part = os.read(read, _MOST_BYTES)
        if not part:
            break
        data += part
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
    if not data:
        return b"", f"it took more than {_SECONDS:.0f} s" if left <= 0 else "it ended early"
    return (data[1:], "") if data[:1] == _FOUND else (b"", data[1:].decode(errors="replace"))
