"""Panel 5, of one parameter: its gradient's norm and how far each update moved it, over the updates sampled."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import History
from stepdbg.tui.drawing.lines import NAME, Drawing, Frame, Line, Span, lesson, plain
from stepdbg.tui.drawing.numbers import count, plural
from stepdbg.tui.panels.text.loss import charted, curves
from stepdbg.tui.records.losses import Point, Series
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot

HISTORY = Slot("history", History, kept_when_refused=True)
"""The history of the parameter that is looked at."""


def draw(snapshot: Snapshot, frame: Frame, name: str, *, log: bool) -> Drawing:
    """The chart.

    Args:
        snapshot: What is known.
        frame: Where to draw.
        name: The parameter.
        log: Whether the vertical axis is logarithmic.
    """
    parameter = name.removesuffix(".grad")
    title: Line = (Span("history of ", "dim"), Span(plain(parameter), NAME), Span(" "))
    found = snapshot.answer(HISTORY)
    if problem := snapshot.problem(HISTORY):
        return Drawing(title, body=lesson(f"{plain(problem)}.", frame))
    if found is None or found.object != parameter:
        return Drawing(title, body=lesson("Read where training waits.", frame))
    norms = Series("gradient norm", _points((one.update, one.grad_norm) for one in found.points))
    moved = "Δ/‖w‖" if frame.glyphs.braille else "dw/|w|"
    lines = curves((norms,), (Series(moved, _points((one.update, one.ratio) for one in found.points)),), log=log)
    if not lines:
        words = "No update has been sampled yet: one is when its last step is done."
        if found.points:
            sampled = plural(len(found.points), "update that was sampled", "updates that were sampled")
            words = f"It had no gradient in the {sampled}. How far it has moved is not looked at where it is frozen."
        return Drawing(title, body=lesson(words, frame))
    updates = [one.update for one in found.points]
    every = updates[-1] - updates[-2] if len(updates) > 1 else 1
    rate = f", every {count(every)}" if every > 1 else ""
    title = (*title, Span(f"{plural(len(updates), 'update')}{rate} ", "dim"))
    drawing = charted(lines, frame, log=log)
    scale = (Span("log ", "dim"),) if log else ()
    faults = (span for span in drawing.title if span.role in ("error", "warning"))
    return drawing._replace(title=(*title, *scale, *faults))


def _points(values: Iterable[tuple[int, float | None]]) -> tuple[Point, ...]:
    return tuple(Point(update, value) for update, value in values if value is not None)
