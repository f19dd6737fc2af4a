"""The shared page: a small file that a training process and the hub both map.

It lets the training process say where it is, and hear that there is mail, without a system call at a boundary and
without a thread. Inwards there is one byte, the *bell*: the hub writes a message to the socket and then rings; at one
of its next boundaries the process clears the bell and reads its socket. Outwards go the time at which each phase
began last, the counters and a ring of the newest losses. Every field is written by one side only. A reader may see a
half-written entry of the ring; the sequence number that is written last, after the entry, keeps it from being read
before it is whole.

The training process maps its page so that no descriptor is left of it: one that the script closes without knowing it
would later be closed once more, as somebody else's. And all of the file is there before it is mapped: a store into a
page that a full file system cannot give ends a process by SIGBUS.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MAGIC = b"stepdbg4"
RING = 4096
"""Losses that the ring holds: at 5 readings a second enough for 20,000 losses a second."""
LOSS_NAMES = 16
"""Losses that have a name of their own; further ones share the last."""
WATCH_NAMES = 16
"""Watched values that have one. In the ring they are counted from `LOSS_NAMES` on."""
WATCHES = LOSS_NAMES + WATCH_NAMES
"""From here on the ring counts what the user watches, by its number in the session."""
USUAL_PHASES = ("zero_grad", "forward", "loss", "backward", "step")
"""The phases whose names have the first places of the page."""
PHASE_NAMES = 64
"""Phases that have a place of their own; further ones take turns at the last."""
NAME_BYTES = 48

_NAN = float("nan")
BELL = 8
"""The place of the bell in `Page.memory`."""
_STARTS = struct.Struct(f"={PHASE_NAMES}q")
"""The times at which each phase was begun last (ns, monotonic): one number is written at each boundary, and the newest
one tells."""
_STARTS_AT = 16
_PHASES_AT = _STARTS_AT + _STARTS.size
"""What the phases are called."""
_PROGRESS = struct.Struct("<qq")
"""Update, epoch (-1: none): written where one of them moves."""
_PROGRESS_AT = _PHASES_AT + PHASE_NAMES * NAME_BYTES
_SEQUENCE = struct.Struct("<qd")
"""How many entries the ring has had, and the newest loss (watched values share the ring)."""
_SEQUENCE_AT = _PROGRESS_AT + _PROGRESS.size
_EVALUATING = struct.Struct("<q")
"""Since when a condition of a breakpoint is being evaluated (ns, monotonic); 0 while none is."""
_EVALUATING_AT = _SEQUENCE_AT + _SEQUENCE.size
_NAMES_AT = _EVALUATING_AT + _EVALUATING.size
_POINT = struct.Struct("<qqd")  # update, index of the loss, value
_POINTS_AT = _NAMES_AT + (LOSS_NAMES + WATCH_NAMES) * NAME_BYTES
SIZE = _POINTS_AT + RING * _POINT.size


class Status(NamedTuple):
    """The phase and update that a training process is in."""

    update: int
    epoch: int | None
    since_ns: int
    """`time.monotonic_ns()` when the current phase began."""
    loss: float
    """The newest loss; NaN before there is one."""
    phase: str


class Page:
    """One side's view of the shared page."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Map the page at `path`.

        Raises:
            OSError: it cannot be made, or is not there.
            ValueError: it is no page of this version.
        """
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        descriptor = os.open(path, flags, 0o600)
        self.memory: memoryview
        """The page itself, for whoever cannot afford a call."""
        try:
            if create:
                _allocate(descriptor)
                self.memory = _mapped(descriptor)
            else:
                self.memory = memoryview(mmap.mmap(descriptor, SIZE))
        except OSError:
            if create:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        self.starts = self.memory[_STARTS_AT:_PHASES_AT].cast("q")
        """The times at which each phase began last, by its place: `enter` for whoever cannot afford a call."""
        self.places = {name: place for place, name in enumerate(USUAL_PHASES)}
        """The places of phases on the page, by name."""
        if create:
            for name, place in self.places.items():
                self._write_name(_PHASES_AT, place, name)
            self.progress(0, None)
            _SEQUENCE.pack_into(self.memory, _SEQUENCE_AT, 0, _NAN)
            self.memory[: len(MAGIC)] = MAGIC
        elif self.memory[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path} is no page of this version of stepdbg")
        self._written = 0
        self._loss = _NAN

    # the training process writes

    def enter(self, since_ns: int, phase: str) -> None:
        """Say that a phase begins."""
        place = self.places.get(phase)
        if place is None:
            place = len(self.places)
            self._write_name(_PHASES_AT, place, phase)
            if place < PHASE_NAMES - 1:
                self.places[phase] = place
        self.starts[place] = since_ns

    def progress(self, update: int, epoch: int | None) -> None:
        """Say how far training is."""
        _PROGRESS.pack_into(self.memory, _PROGRESS_AT, update, -1 if epoch is None else epoch)

    def name_loss(self, index: int, name: str) -> None:
        """Give the loss of that index (below `LOSS_NAMES`) its name; from there on, a watched value."""
        self._write_name(_NAMES_AT, index, name)

    def add_loss(self, update: int, index: int, value: float) -> None:
        """Append a loss, or a watched value, to the ring; the oldest entry gives way."""
        self.add_losses(((update, index, value),))

    def add_losses(self, entries: Iterable[tuple[int, int, float]]) -> None:
        """Append several, each an update, an index and a value."""
        memory, write = self.memory, _POINT.pack_into
        for update, index, value in entries:
            write(memory, _POINTS_AT + self._written % RING * _POINT.size, update, index, value)
            self._written += 1
            if index < LOSS_NAMES:
                self._loss = value
        _SEQUENCE.pack_into(memory, _SEQUENCE_AT, self._written, self._loss)

    def evaluating(self, since_ns: int) -> None:
        """Say that a condition is being evaluated since then; 0 when it has been."""
        _EVALUATING.pack_into(self.memory, _EVALUATING_AT, since_ns)

    def bell(self) -> bool:
        """Whether there is mail on the socket."""
        return self.memory[BELL] != 0

    def clear_bell(self) -> None:
        """Called before the socket is read, so that a ring in between is not lost."""
        self.memory[BELL] = 0

    # the hub writes, and reads

    def ring_bell(self) -> None:
        """Called after a message was written to the socket."""
        self.memory[BELL] = 1

    def status(self) -> Status:
        """The status of the training process; fields may be of two neighbouring boundaries."""
        starts = _STARTS.unpack_from(self.memory, _STARTS_AT)
        since_ns = max(starts)
        phase = self._read_name(_PHASES_AT, starts.index(since_ns)) if since_ns else ""
        update, epoch = _PROGRESS.unpack_from(self.memory, _PROGRESS_AT)
        _, loss = _SEQUENCE.unpack_from(self.memory, _SEQUENCE_AT)
        return Status(update, None if epoch < 0 else epoch, since_ns, loss, phase)

    def evaluating_since(self) -> int:
        """Since when a condition is being evaluated (ns, monotonic); 0 while none is."""
        since: int = _EVALUATING.unpack_from(self.memory, _EVALUATING_AT)[0]
        return since

    def loss_names(self) -> tuple[str, ...]:
        """The names of losses given so far."""
        return self._names(range(LOSS_NAMES))

    def watch_names(self) -> tuple[str, ...]:
        """The names of watched values given so far."""
        return self._names(range(LOSS_NAMES, LOSS_NAMES + WATCH_NAMES))

    def _names(self, indices: range) -> tuple[str, ...]:
        names = []
        for index in indices:
            name = self._read_name(_NAMES_AT, index)
            if not name:
                break
            names.append(name)
        return tuple(names)

    def losses_since(self, sequence: int) -> tuple[int, list[tuple[int, int, float]]]:
        """The entries (update, index, value) after `sequence`, oldest first, and the sequence to ask from next.

        Entries that have been overwritten meanwhile are missing.
        """
        newest, _ = _SEQUENCE.unpack_from(self.memory, _SEQUENCE_AT)
        first = max(sequence, newest - RING)
        points = [_POINT.unpack_from(self.memory, _POINTS_AT + n % RING * _POINT.size) for n in range(first, newest)]
        after, _ = _SEQUENCE.unpack_from(self.memory, _SEQUENCE_AT)
        overwritten = max(0, after - RING - first + 1) if after != newest else 0
        return newest, points[overwritten:]

    def close(self) -> None:
        """Let go of it. What the training process has mapped stays mapped: somebody may hold a view of it."""
        self.starts.release()
        self.memory.release()

    def _write_name(self, at: int, index: int, name: str) -> None:
        start = at + index * NAME_BYTES
        self.memory[start : start + NAME_BYTES] = padded(name)

    def _read_name(self, at: int, index: int) -> str:
        start = at + index * NAME_BYTES
        return unpadded(bytes(self.memory[start : start + NAME_BYTES]))


def _allocate(descriptor: int) -> None:
    """Give the file its size, every byte of it.

    Raises:
        OSError: there is no room.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft != resource.RLIM_INFINITY and soft < SIZE:  # to try would be a SIGXFSZ
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    except (AttributeError, OSError) as error:  # macOS has none, and not every file system can do it
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV):
            raise
        rest = memoryview(bytes(SIZE))
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _mapped(descriptor: int) -> memoryview:
    """The file in memory, with no descriptor kept. `mmap.mmap` keeps one, unless told otherwise from Python 3.13 on."""
    import ctypes  # which torch has imported before

    map_file = ctypes.CDLL(None, use_errno=True).mmap
    map_file.restype = ctypes.c_void_p
    map_file.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = map_file(None, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return memoryview((ctypes.c_ubyte * SIZE).from_address(address)).cast("B")


def padded(name: str) -> bytes:
    """A name as the page holds it: cut to `NAME_BYTES` without splitting a character, filled with zeros."""
    raw = name.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore").encode()
    return raw.ljust(NAME_BYTES, b"\0")


def unpadded(raw: bytes) -> str:
    """The name in a field of the page."""
    return raw.rstrip(b"\0").decode("utf-8", "replace")
