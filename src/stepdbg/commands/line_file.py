"""Where the lines of a run with no screen go: a file, or stderr."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from stepdbg.commands.printing import say
from stepdbg.errors import UsageError


class LineFile:
    """Takes whole lines. Where it can take no more it says so once, and training goes on without.

    Args:
        path: the file, which is emptied; None for stderr.
        spared: files that it must not be.
        what: what is written.
        option: the option that names the file.
        otherwise: how training goes on where no more can be written.

    Raises:
        UsageError: it cannot be written.
    """

    def __init__(self, path: str | None, spared: Iterable[str], what: str, option: str, otherwise: str) -> None:
        self._path, self._what, self._otherwise = path, what, otherwise
        self._descriptor: int | None = 2
        if path is not None:
            if any(_same(path, file) for file in spared):
                raise UsageError(
                    f"the {what} would overwrite {path}, which is the target itself; name another with {option}"
                )
            try:
                self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise UsageError(
                    f"cannot write the {what} to {path} ({error.strerror}); name another with {option}"
                ) from error

    def write(self, line: bytes) -> None:
        """Write a line, in one piece where the system takes it in one."""
        if self._descriptor is None:
            return
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            self._take_back(written)
            self.close()
            if self._path is not None:
                say(
                    f"cannot write more of the {self._what} to {self._path} ({error.strerror}); "
                    f"training goes on {self._otherwise}"
                )

    def _take_back(self, written: int) -> None:
        """No half line is left at the end of a file on a full disk."""
        assert self._descriptor is not None
        with contextlib.suppress(OSError):
            if written and stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                os.ftruncate(self._descriptor, os.lseek(self._descriptor, 0, os.SEEK_CUR) - written)

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._path is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
