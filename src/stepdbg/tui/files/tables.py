"""The tables behind the panels as rows of text, for files: all rows, whatever is scrolled into view."""

from __future__ import annotations

import io
from collections.abc import Iterable

from stepdbg.listing.search import TENSORS
from stepdbg.printable import printable
from stepdbg.tui.panels.optimizer.view import optimizers_of
from stepdbg.tui.records.losses import Series
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.watched import readings

Table = list[list[str]]
"""The first row is the heading."""
TABLES = ("model", "optimizer", "loss", "breaks")
"""Panels that hold one."""


def table(panel: str, snapshot: Snapshot) -> Table:
    """The table of a panel; names as they may stand on a screen, since files are looked at in terminals."""
    match panel:
        case "model":
            rows = _model(snapshot)
        case "optimizer":
            rows = _optimizer(snapshot)
        case "breaks":
            rows = [["watch", "update", "value"], *_points(one.series for one in readings(snapshot))]
        case _:
            watched = [one.series for one in readings(snapshot)]
            rows = [["loss", "update", "value"], *_points((*snapshot.losses, *snapshot.watches, *watched))]
    return [[printable(cell) for cell in row] for row in rows]


def as_csv(rows: Table) -> str:
    """Comma separated, quoted where it has to be."""
    import csv  # needed when a table is saved, not for the first paint

    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def as_text(rows: Table) -> str:
    """The table as text, in aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _model(snapshot: Snapshot) -> Table:
    heading = [
        "object", "kind", "shape", "dtype", "device", "elements", "bytes", "trainable", "owner", "norm", "grad_norm",
        "update_ratio",
    ]  # fmt: skip
    found = [heading]
    known = snapshot.answer(OBJECTS)
    for row in known.rows if known is not None else ():
        if row.node not in TENSORS:
            continue
        summary = snapshot.summaries.get(row.name)
        figures = (summary.norm, summary.grad_norm, summary.update_ratio) if summary else (None, None, None)
        found.append(
            [
                row.name, row.cls or row.node, "x".join(map(str, row.shape)), row.dtype, row.device,
                str(row.elements), str(row.bytes), str(row.trainable), row.owner, *map(_number, figures),
            ]
        )  # fmt: skip
    return found


def _optimizer(snapshot: Snapshot) -> Table:
    found = [["optimizer", "group", "parameter", "key", "value", "norm"]]
    for one in optimizers_of(snapshot):
        for group in one.groups:
            found += [[one.name, str(group.index), "", each.name, each.value, ""] for each in group.hyperparameters]
        for row in one.state_table:
            found += [
                [one.name, str(row.group), row.parameter, entry.key, entry.text, _number(entry.norm)]
                for entry in row.state
            ]
    return found


def _points(series: Iterable[Series]) -> Table:
    return [[one.name, str(point.update), repr(point.value)] for one in series for point in one.points]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
