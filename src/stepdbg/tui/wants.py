"""What a panel needs to know to be drawn, as questions that can be compared."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from stepdbg.protocol.messages import Query


class Want(NamedTuple):
    """A question for one slot of the snapshot. It is asked again when the query or what it holds for has moved."""

    slot: str
    query: Query
    holds_for: Hashable
    """What the answer stays true for: the boundary, the registry's number, the file."""
