"""Writing a file that is there whole or not at all, and never in the place of another.

It is written under another name in the same folder and given its own at the end; on failure nothing is left behind.
The standard library only, since the training process writes its tensors with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stepdbg.errors import FileExists, SaveError


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to; it gets its name when the block ends without an exception.

    Raises:
        FileExists: there is something of that name already.
        SaveError: it could not be written. Nothing is left behind.
    """
    if os.path.lexists(path):
        raise FileExists(f"{path} exists already; it is not overwritten, choose another name")
    part = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            try:
                yield file
                file.close()
                _name(part, path)
            finally:
                # whatever ends the block, an interrupt by the user too
                with contextlib.suppress(OSError):
                    file.close()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)
    except FileExistsError as error:
        raise FileExists(f"{path} exists already; it is not overwritten, choose another name") from error
    except OSError as error:
        raise SaveError(_why(path, error)) from error


def free_name(path: Path) -> Path:
    """The path itself if nothing is there, else with the first number that is free: `weights-2.npy`."""
    number, found = 2, path
    while os.path.lexists(found):
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return found


def _name(part: Path, path: Path) -> None:
    """Give the file its name, unless another has taken it meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        os.rename(part, path)


def _why(path: Path, error: OSError) -> str:
    folder = path.parent
    match error.errno:
        case errno.ENOENT if not folder.exists():
            return f"there is no folder {folder}; make it first, or choose another"
        case errno.ENOTDIR:
            return f"{folder} is no folder; choose another"
        case errno.EACCES | errno.EPERM | errno.ENOENT:
            return f"{folder} may not be written to ({error.strerror}); choose another folder"
        case errno.EROFS:
            return f"{folder} is on a read-only file system; choose another folder"
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space is left for {path}; nothing was written, choose another disk"
        case errno.EFBIG:
            return f"{path} would be larger than a file may be here; nothing was written, choose another disk"
        case errno.ENAMETOOLONG:
            return f"the name {path.name[:40]}… is too long; choose a shorter one"
    return f"{path} could not be written: {error.strerror or error}"
