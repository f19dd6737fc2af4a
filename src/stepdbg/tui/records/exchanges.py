"""What was typed into the console, and what came of it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from stepdbg.protocol.messages import Evaluated, Refusal

KEPT = 200
"""Exchanges that can be scrolled back to."""


class Exchange(Struct, frozen=True):
    """A command, and its answer once there is one."""

    source: str
    where: str
    """The frame that it was run in, in words."""
    result: Evaluated | Refusal | None = None


class Typed(Struct, frozen=True):
    """A command has been sent to a rank."""

    exchange: Exchange
    rank: int


class Replied(Struct, frozen=True):
    """The newest command of a rank was answered."""

    result: Evaluated | Refusal
    rank: int


class Cleared(Struct, frozen=True):
    """The console is to be empty."""


def after(exchanges: tuple[Exchange, ...], event: Typed | Replied | Cleared) -> tuple[Exchange, ...]:
    """The exchanges after an event."""
    match event:
        case Typed(exchange=exchange):
            return (*exchanges, exchange)[-KEPT:]
        case Replied(result=result) if exchanges and exchanges[-1].result is None:
            return (*exchanges[:-1], replace(exchanges[-1], result=result))
        case Cleared():
            return tuple(exchange for exchange in exchanges if exchange.result is None)
    return exchanges


def under_way(exchanges: tuple[Exchange, ...]) -> bool:
    """Whether an answer is waited for."""
    return bool(exchanges) and exchanges[-1].result is None
