"""What every message is made of, and the version of them all."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 11
"""Moves when a message changes its meaning, or comes that the other side would not know. Both sides say
theirs in the hello and refuse another one."""


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that travels by itself."""


class Question(Message, frozen=True):
    """Base of what is asked of a training process at a stop."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at: a variable of the script's that only such a name leads to is listed first."""
        return ()


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what travels inside a message."""
