"""`stepdbg attach`: find the session to come back to."""

from __future__ import annotations

from pathlib import Path

from stepdbg.commands.nearest import brief, did_you_mean
from stepdbg.commands.run import need_terminal
from stepdbg.errors import SessionError
from stepdbg.hub.card import hub_listens, living_sessions
from stepdbg.protocol.places import session_folder, sessions


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
        raise SessionError(f"the session {name!r} has ended; `stepdbg ls` lists those there are")
    need_terminal()
    return folder


def named_session(name: str) -> Path:
    """The folder of the session of that name.

    Raises:
        SessionError: there is none; names the one that may be meant.
    """
    try:
        return session_folder(name)
    except SessionError:
        like = did_you_mean(name, sessions())
        raise SessionError(f"there is no session {brief(name)!r}{like}; `stepdbg ls` lists those there are") from None
