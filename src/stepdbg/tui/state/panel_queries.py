"""What a panel needs to know to be drawn, as questions that can be compared."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from msgspec.structs import replace

from stepdbg.protocol.messages import HubQuery, Query, ReadSource, Recall, Remembered, Result
from stepdbg.tui.state.answers import Slot


class PanelQuery(NamedTuple):
    """A question for one slot of the snapshot. It is asked again when the query or what it holds for has moved."""

    slot: Slot[Result]
    query: Query
    holds_for: Hashable
    """What the answer stays true for: the boundary, the registry's number, the file."""


def recalled(queries: list[PanelQuery], boundary: int) -> list[PanelQuery]:
    """The same questions about an earlier stop, put to what the hub remembers of it.

    What only the present can answer is not asked: it would be shown as if it had been so then.
    """
    found = []
    for want in queries:
        if isinstance(want.query, ReadSource):
            found.append(want)
        elif isinstance(want.query, Remembered):
            found.append(PanelQuery(replace(want.slot, past=True), Recall(boundary, want.query), boundary))
        elif isinstance(want.query, HubQuery):
            found.append(PanelQuery(replace(want.slot, past=True), want.query, boundary))
    return found
