"""Where a session's files lie: one folder of mode 0700 per session, under the runtime directory.

Standard library only. Paths stay short, since the address of a Unix socket has 108 bytes on Linux and 104 on macOS.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from stepdbg.errors import SessionError, UsageError

SESSION_VARIABLE = "STEPDBG_SESSION"
"""The environment variable that names the session's folder to the processes of the target."""
RUNTIME_VARIABLE = "STEPDBG_RUNTIME_DIR"
"""Puts all sessions of this user elsewhere."""
CLIENT_SOCKET = "hub.sock"
RANK_SOCKET = "rank.sock"
OUTPUT_LOG = "output.log"
HUB_LOG = "hub.log"
LINES_FILE = "lines.json"
"""The breakpoints on lines, for a process that has not entered the session yet."""
SESSION_FILE = "session.json"
"""What `stepdbg ls` reads of a session without asking its hub."""
_LONGEST = 104
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")


def runtime_folder() -> Path:
    """The folder of all sessions of this user, made if needed.

    Raises:
        UsageError: it cannot be made, is another user's, or no absolute path.
    """
    base = os.environ.get(RUNTIME_VARIABLE)
    if base and not os.path.isabs(base):
        raise UsageError(f"{RUNTIME_VARIABLE} is {base!r}, a relative path; give an absolute one")
    if base:
        folder = Path(base)
    elif (run := os.environ.get("XDG_RUNTIME_DIR")) and os.access(run, os.W_OK):
        folder = Path(run) / "stepdbg"
    else:
        folder = Path(tempfile.gettempdir()) / f"stepdbg-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise UsageError(
            f"cannot make the runtime folder {folder} ({error.strerror}); set {RUNTIME_VARIABLE} to a folder of yours"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} is not a folder of yours; set {RUNTIME_VARIABLE} to one")
    if status.st_mode & 0o077:
        os.chmod(folder, 0o700)
    if len(os.fsencode(folder / ("x" * 24) / RANK_SOCKET)) > _LONGEST:
        raise UsageError(f"the path {folder} is too long for a socket; set {RUNTIME_VARIABLE} to a shorter one")
    return folder


def new_session(script: str) -> Path:
    """Make the folder of a new session, named after the script: `mnist-3f9c`.

    Raises:
        UsageError: it cannot be made.
    """
    stem = re.sub(r"[^A-Za-z0-9_-]", "", Path(script).stem)[:16] or "session"
    base = runtime_folder()
    while True:
        folder = base / f"{stem}-{os.urandom(2).hex()}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"cannot make {folder} ({error.strerror}); set {RUNTIME_VARIABLE} to a folder of yours"
            ) from error
        return folder


def session_folder(name: str) -> Path:
    """The folder of an existing session.

    Raises:
        SessionError: there is none of that name, or it may be somebody else's.
    """
    folder = runtime_folder() / name
    if not _NAME.match(name) or len(name) > _LONGEST or not folder.is_dir():
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
        raise SessionError(f"there is no session {shown!r}; `stepdbg ls` lists those there are")
    check_trusted(folder)
    return folder


def check_trusted(folder: Path) -> None:
    """Check that a session's folder is the user's own, and that nobody else may write there.

    The runtime folder may have been open to others once, who could have left a folder of theirs in it.

    Raises:
        SessionError: it is not to be trusted.
    """
    try:
        status = folder.lstat()
    except OSError as error:
        raise SessionError(f"the session {folder.name} has ended; `stepdbg ls` lists those there are") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise SessionError(f"{folder} is not a folder of yours alone, so its session is not trusted; remove it")


def sessions() -> list[str]:
    """The names of all sessions that have a folder of the user's own, oldest first."""
    found = []
    with os.scandir(runtime_folder()) as entries:
        for entry in entries:
            try:
                check_trusted(Path(entry.path))
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
            except (OSError, SessionError):  # not ours, or gone meanwhile
                continue
    return [name for _, name in sorted(found)]
