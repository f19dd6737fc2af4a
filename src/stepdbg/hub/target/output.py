"""What the script has written to its terminal, read off the log that the keeper writes."""

from __future__ import annotations

import os
from pathlib import Path

TAIL_BYTES = 1024 * 1024
"""Bytes that a late client gets."""
CHUNK = 256 * 1024
"""Bytes that one `Output` carries at most."""


class OutputTail:
    """Follows a log through its rotations and keeps its last megabyte."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._tail = bytearray()
        self._notified = False
        self.end = 0
        """All bytes read so far; the position at which the next ones start."""

    @property
    def last_bytes(self) -> tuple[int, bytes]:
        """The position of the bytes that are kept, and those bytes."""
        return self.end - len(self._tail), bytes(self._tail)

    def read(self) -> list[tuple[int, bytes]]:
        """What has been written since, in pieces of at most `CHUNK`: where each starts, and its bytes."""
        pieces = []
        while True:
            if self._file is None and not self._open():
                break
            assert self._file is not None
            data = os.read(self._file, CHUNK)
            if data:
                pieces.append((self.end, data))
                self._keep(data)
            elif self._rotated():
                os.close(self._file)
                self._file = None
            else:
                break
        return pieces

    def take(self, data: bytes, problem: str) -> tuple[list[tuple[int, bytes]], str]:
        """What the keeper could not write into the log, and hands on itself, after what it had written before.

        Returns:
            The pieces, and a remark for the user, the first time.
        """
        pieces = [*self.read(), (self.end, data)]
        self._keep(data)
        notified, self._notified = self._notified, True
        remark = f"the log of the script's output cannot be written ({problem}); its last megabyte is kept in memory"
        return pieces, "" if notified else remark

    def close(self) -> None:
        """Let go of the log."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        return True

    def _rotated(self) -> bool:
        """Whether the keeper has begun a new log, and the old one was read to its end."""
        assert self._file is not None
        try:
            new, old = os.stat(self._path), os.fstat(self._file)
        except OSError:
            return False
        if (new.st_ino, new.st_dev) == (old.st_ino, old.st_dev):
            return False
        return os.lseek(self._file, 0, os.SEEK_CUR) >= old.st_size

    def _keep(self, data: bytes) -> None:
        self.end += len(data)
        self._tail += data
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
