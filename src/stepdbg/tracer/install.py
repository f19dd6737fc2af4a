"""Puts the tracer into a process in which torch has just been imported."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from stepdbg import api
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.script_api import ScriptApi
from stepdbg.tracer.session.connection import Connection, Link
from stepdbg.tracer.sources import install as hooks
from stepdbg.tracer.stops.tracer import Tracer

_NO_FAILURES = (SystemExit, GeneratorExit)
"""Exceptions that end a script or a generator as it is meant to end."""


def install(connection: Connection, folder: str) -> Tracer:
    """Hook torch's entry points; the session is entered at the first boundary.

    Args:
        connection: The socket on which the process was said to be born.
        folder: The session's.
    """
    tracer = Tracer(Link(connection), Path(folder))
    api.tracer = ScriptApi(tracer)
    hooks.install(tracer)
    tracer.lines.begin(Path(folder))
    os.register_at_fork(after_in_child=tracer.following.forked)
    atexit.register(tracer.finish)
    _watch_exceptions(tracer)
    return tracer


def _watch_exceptions(tracer: Tracer) -> None:
    """Stop at an uncaught exception, the training thread's too, after it was printed, with nothing of ours in it."""
    earlier = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        clean(error)
        earlier(kind, error, error.__traceback__)
        if not isinstance(error, _NO_FAILURES):
            tracer.exceptions.failed(error)

    def in_thread(unraised: threading.ExceptHookArgs) -> None:
        clean(unraised.exc_value)
        earlier_in_thread(unraised)
        error = unraised.exc_value
        if error is not None and not isinstance(error, _NO_FAILURES) and tracer.listening():
            tracer.exceptions.failed(error, last=False)

    earlier_in_thread = threading.excepthook
    sys.excepthook, threading.excepthook = excepthook, in_thread


def clean(error: BaseException | None, seen: frozenset[int] = frozenset()) -> None:
    """Cut our frames out of an exception's traceback, and out of those it came from."""
    if error is None or id(error) in seen:
        return
    error.__traceback__ = frames.without_ours(error.__traceback__)
    clean(error.__cause__, seen | {id(error)})
    clean(error.__context__, seen | {id(error)})
