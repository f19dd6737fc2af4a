"""What the commands print: through the gate, in whatever encoding the terminal has, and never in half a line."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from stepdbg.printable import printable, printable_lines


def say(text: str) -> None:
    """One line on stderr, whole and at once."""
    with contextlib.suppress(OSError, ValueError):  # nobody reads it: nothing to be done
        _write(sys.stderr, f"stepdbg: {printable(text)}\n")


def put(text: str) -> None:
    """Lines on stdout.

    Raises:
        OSError: they cannot be written there.
    """
    _write(sys.stdout, printable_lines(text))


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # closed by whoever started us
        return
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def hush() -> None:
    """Have Python say nothing more on stdout, where nobody reads it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
