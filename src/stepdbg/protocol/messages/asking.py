"""How questions and their answers travel: from a client through the hub to a rank, and back.

What there is to ask is what the files beside this one define: a question is a class of `Question`, what it is answered
with one of `Result`. This file is read after all of them.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from stepdbg.protocol.messages.base import HubQuery, Message, Query, Remembered, Result


class Refusal(Result, frozen=True):
    """Why there is no answer, with the remedy, in one or two sentences."""

    problem: str


def _kinds_of(base: type[Message]) -> list[Any]:
    """The classes below that one from which no other class is made, in the order in which they were defined."""
    below = base.__subclasses__()
    return [kind for one in below for kind in _kinds_of(one)] if below else [base]


if TYPE_CHECKING:
    AnyRemembered = Remembered
    AnyQuery = Query
    AnyResult = Result
else:
    AnyRemembered = reduce(or_, _kinds_of(Remembered))


class Recall(HubQuery, frozen=True):
    """What was answered to such a question at an earlier stop; the hub answers, with the same result or a `Refusal`."""

    boundary: int
    query: AnyRemembered


if not TYPE_CHECKING:
    AnyQuery = reduce(or_, _kinds_of(Query))
    AnyResult = reduce(or_, _kinds_of(Result))


class Ask(Message, frozen=True):
    """A question. From a client, `number` is the client's own; the hub renumbers it towards the rank."""

    number: int
    query: AnyQuery
    rank: int = 0


class Answer(Message, frozen=True):
    """What became of the `Ask` of that number."""

    number: int
    result: AnyResult
