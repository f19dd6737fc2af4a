"""`stepdbg attach`: find the session to come back to."""

from __future__ import annotations

from pathlib import Path

from stepdbg.commands.run import need_terminal
from stepdbg.errors import SessionError
from stepdbg.hub.process.session_file import hub_listens, living_sessions
from stepdbg.listing.nearest import brief, did_you_mean
from stepdbg.protocol.runtime_folder import session_folder, sessions


def find_session(name: str | None) -> Path:
    """The folder of the session of that name, or of the newest one.

    Raises:
        SessionError: there is none.
        UsageError: there is no terminal to show it on.
    """
    if name is None:
        cards = living_sessions()
        if not cards:
            raise SessionError("there is no session to attach to; start one with `stepdbg train.py`")
        name = cards[-1].name
    folder = named_session(name)
    if not hub_listens(folder):
        raise SessionError(f"the session {folder.name!r} has ended; `stepdbg ls` lists those there are")
    need_terminal()
    return folder


def named_session(name: str) -> Path:
    """The folder of the session of that name, or of the only one whose name begins so.

    Raises:
        SessionError: there is none, or there are several; names those that may be meant.
    """
    try:
        return session_folder(name)
    except SessionError:
        alike = [one for one in sessions() if name and one.startswith(name)]
        if len(alike) == 1:
            return session_folder(alike[0])
        if alike:
            raise SessionError(f"{brief(name)!r} may be {', '.join(alike[:-1])} or {alike[-1]}") from None
        like = did_you_mean(name, sessions()).rstrip("?")
        raise SessionError(f"there is no session {brief(name)!r}{like}; `stepdbg ls` lists those there are") from None
