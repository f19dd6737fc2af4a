"""The line of the Tensor panel that tells what the last change of a tensor came to, and which side of it is shown."""

from __future__ import annotations

from stepdbg.protocol.messages import Change, Side, TensorView
from stepdbg.tui.drawing.lines import Frame, Line, Span, cropped, plain, whole
from stepdbg.tui.drawing.numbers import count, figure, plural
from stepdbg.tui.panels.tensor.targets import SideTarget

_DOING = {"call": "{} changed", "script": "after {}: changed", "both": "{} and after it: changed"}
SIDES: tuple[Side, ...] = ("now", "before", "change")


def change_of(view: TensorView | None, part: str) -> Change | None:
    """What is known of the change of that part."""
    return next((one.change for one in view.parts if one.label == part), None) if view is not None else None


def draw(change: Change, side: Side, frame: Frame) -> Line:
    """` [now] before  change   step changed 98%  largest 0.0011  norm 0.0123  0.0012 of before  of 1,234, update 3`"""
    if change.problem:
        return cropped((Span(f" {plain(change.problem)}", "warning"),), frame.width)
    spans = [Span(" ")]
    for one in SIDES:
        here = one == side
        spans.append(Span(f"[{one}]" if here else f" {one} ", "accent" if here else "dim", SideTarget(one)))
    share = change.changed / change.elements if change.elements else 0.0
    told = "all" if share == 1 else "none" if share == 0 else f"{share:.0%}" if 0.01 <= share < 0.995 else ""
    spans += [
        Span(f"  {_DOING[change.whose].format(plain(change.phase))} {told or plural(change.changed, 'element')}"),
        Span(f"  largest {figure(change.largest)}", "number"),
        Span(f"  norm {figure(change.norm)}", "number"),
    ]
    if change.ratio is not None:
        spans.append(Span(f"  {figure(change.ratio)} of before", "dim"))
    spans.append(Span(f"  of {count(change.elements)}, update {change.update}", "dim"))
    return whole(tuple(spans), frame.width)
