"""A process that can change nothing outside of itself: what runs in it may be anybody's code.

A forked child shares every open file and socket with the script, down to the place at which the next byte is read, and
the memory that a script shares between processes. And code that runs a second time would write its files a second time.
None of that may happen.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import stat
import sys
from contextlib import suppress
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OUTSIDE = (
    "os.chdir", "os.chflags", "os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg",
    "os.link", "os.lockf", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.removexattr", "os.rename",
    "os.rmdir",
    "os.setxattr", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.utime", "fcntl.fcntl", "fcntl.flock",
    "fcntl.ioctl", "fcntl.lockf", "pty.spawn", "shutil.", "signal.pthread_kill", "socket.bind", "socket.connect",
    "socket.sendmsg", "socket.sendto", "sqlite3.connect", "subprocess.Popen",
)  # fmt: skip
"""What Python tells its audit hooks of that reaches beyond this process."""


def seal(kept: int) -> None:
    """Have this process, a forked child, reach nothing outside of itself but through one descriptor.

    Args:
        kept: The descriptor that stays as it is.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number not in (kept, nowhere):
            with suppress(OSError):  # the one that the list was read from is closed already
                _part_with(number, nowhere)
    _only_read_shared_memory()
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):  # of what is no Python's, and of what ends this process
        resource.setrlimit(limit, (0, 0))
    sys.addaudithook(_refuse)


def _part_with(number: int, nowhere: int) -> None:
    """Have a descriptor lead to a file of this process's own opening, at the same place, or nowhere."""
    own = nowhere
    plain = stat.S_ISREG(os.fstat(number).st_mode)
    if plain and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        with suppress(OSError):
            own = os.open(f"/proc/self/fd/{number}", os.O_RDONLY)
            os.lseek(own, os.lseek(number, 0, os.SEEK_CUR), os.SEEK_SET)
    os.dup2(own, number, inheritable=False)
    if own != nowhere:
        os.close(own)


def _only_read_shared_memory() -> None:
    """Have this process end where it would write to memory that others share."""
    protect = ctypes.CDLL(None).mprotect
    with open("/proc/self/maps") as maps:
        shared = [line.split()[0].split("-") for line in maps if line.split()[1] == "rw-s"]
    for begin, end in shared:
        start = int(begin, 16)
        protect(ctypes.c_void_p(start), ctypes.c_size_t(int(end, 16) - start), 1)  # PROT_READ


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what reaches outside.

    Raises:
        PermissionError: it does.
    """
    if event == "open":
        path, _, flags = arguments
        if flags & _WRITING and path != os.devnull and type(path) is not int:
            raise PermissionError(f"{path} would be written a second time")
    elif event.startswith(_OUTSIDE):
        raise PermissionError(f"{event} would be done a second time")
