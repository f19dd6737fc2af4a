"""Of the rows of the Model panel, the batch, outputs and loss that are not of this update: their labels say so."""

from __future__ import annotations

from itertools import takewhile

from msgspec.structs import replace

from stepdbg.protocol.messages import ObjectRow, Stop


def of_earlier_updates(rows: tuple[ObjectRow, ...], stop: Stop | None) -> dict[str, ObjectRow]:
    """Batch, outputs and loss that are not of this update, by name, and their heading, with a label that says so."""
    if stop is None or not stop.made_in:
        return {}
    last = list(takewhile(lambda row: row.node == "variable", reversed(rows)))
    updates = {row.name: stop.made_in.get(row.cls, stop.boundary.update) for row in last}
    if not last or len(last) == len(rows):
        return {}
    heading = rows[-len(last) - 1]
    if len(set(updates.values())) == 1 and heading.node == "group":
        (update,) = set(updates.values())
        here = update == stop.boundary.update
        return {} if here else {heading.name: replace(heading, label=f"of update {update}")}
    return {
        row.name: replace(row, label=f"{row.label}  of update {updates[row.name]}")
        for row in last
        if updates[row.name] != stop.boundary.update
    }
