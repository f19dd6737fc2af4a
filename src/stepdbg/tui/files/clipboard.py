"""The terminal's clipboard, over whatever lies between: the escape sequence OSC 52.

tmux passes it on where `set-clipboard` is on. Where it is not but `allow-passthrough` is, a wrapped one gets through;
so under tmux both are written, and the one that is not wanted is dropped.
"""

from __future__ import annotations

import base64

MOST = 74_994
"""Bytes: what xterm and tmux take of one sequence (100,000 characters of base64)."""


def sequence(words: str, *, tmux: bool) -> str:
    """What to write to the terminal so that these words are in its clipboard.

    Raises:
        ValueError: they are longer than terminals take; says so.
    """
    data = words.encode("utf-8", "backslashreplace")
    if len(data) > MOST:
        raise ValueError(f"{len(data):,} bytes are too many for a terminal's clipboard ({MOST:,}); save them to a file")
    plain = f"\x1b]52;c;{base64.b64encode(data).decode()}\a"
    if not tmux:
        return plain
    escaped = plain.replace("\x1b", "\x1b\x1b")
    return f"{plain}\x1bPtmux;{escaped}\x1b\\"
