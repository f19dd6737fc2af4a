"""What every message is made of, and what kinds of them there are."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that travels by itself."""


class Query(Message, frozen=True):
    """Base of what is asked."""


class HubQuery(Query, frozen=True):
    """Base of questions that the hub answers by itself, whatever the rank does."""


class Question(Query, frozen=True):
    """Base of what is asked of a training process at a stop."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at: a variable of the script's that only such a name leads to is listed first."""
        return ()


class Remembered(Question, frozen=True):
    """Base of questions whose answers the hub keeps, for looking back."""


class Result(Message, frozen=True):
    """Base of what a question is answered with."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what travels inside a message."""
