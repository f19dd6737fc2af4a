"""What every message is made of, and the version of them all."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 5
"""Moves when a message changes its meaning, or comes that the other side would not know. Both sides say
theirs in the hello and refuse another one."""


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that travels by itself."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what travels inside a message."""
