"""Whether an update opens, by what the user's loops have done since the newest step."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.phases import KINDS

Turn = Literal["next", "again", "over", "inner"]
"""Since the newest step, the loop of updates has gone round (`next`), or not: training goes on in the same round
(`again`), or nothing in it trains any more (`over`); or only a loop inside of a round has gone round (`inner`)."""

AFTERWARDS = frozenset(kind.name for kind in KINDS if not kind.opens)
"""What opens no update: it belongs to the one before, or to one that is open."""


def opens_by_turn(turn: Turn, following: str, *, several: bool, by_order: bool, again: bool) -> bool:
    """Whether an update opens before that phase.

    Args:
        turn: What has gone round.
        following: The phase.
        several: More than one optimizer is in use.
        by_order: What the order of phases alone says.
        again: The phase is one of an optimizer that has stepped in this update.
    """
    if following == "step" and (several or turn == "next"):
        return turn == "next" and again
    if turn == "next":
        return following not in AFTERWARDS
    if turn == "again":
        return by_order and not several
    return turn == "over" and following in ("data", "step") and by_order
