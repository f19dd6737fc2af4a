"""The guided first run: what the hints say, and when each has done its work. All of it is here, and pure.

In a text `{next}` is the key of the action `next`; besides the actions there are `{comes}`, `{done}`, `{grads}` and
`{marks}`.
Within a phase the hints wait, and a line stands in for them that says how one goes on there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stepdbg.protocol.messages import Inner, Stop, Unit
from stepdbg.tui.drawing.lines import plain
from stepdbg.tui.state.snapshot import Snapshot

COMES = {
    "data": "data fetches a batch",
    "zero_grad": "zero_grad clears the gradients",
    "forward": "forward calls the model",
    "loss": "the loss is computed from the output",
    "backward": "backward walks from the loss to the parameters",
    "step": "step changes the parameters",
}
"""What comes next, in words."""

UNITS: dict[Unit, tuple[str, str]] = {
    "module": ("{into}", "module"), "gradient": ("{into}", "gradient"), "parameter": ("{into}", "parameter"),
    "operator": ("{operator}", "operator"), "node": ("{operator}", "node"),
}  # fmt: skip
"""How one goes on within a phase, by what has been done there last: the key, and the unit that it goes to."""


class Moment(NamedTuple):
    """Where the user is, and where the hint that is shown began."""

    snapshot: Snapshot
    panel: str
    """What has the focus."""
    since: int = 0
    """The boundary at which the hint was first shown."""
    from_panel: str = ""
    """What had the focus then."""
    stops: int = 0
    """How many stops have followed since then."""
    beside: frozenset[str] = frozenset()
    """The panels that are to be seen with others at their side."""
    owners: bool = False
    """Whether somebody has asked who owns a tensor, and sees it."""

    @property
    def moved(self) -> bool:
        """Whether training has moved since the hint was shown."""
        return self.snapshot.boundary > self.since


class Hint(NamedTuple):
    """One hint, and when it is over."""

    text: str
    over: Callable[[Moment], bool]
    patience: int = 2
    """The number of further stops that the hint stays for somebody who does something else."""


def _done(*phases: str) -> Callable[[Moment], bool]:
    """Training stands after one of these phases, or a whole update has passed without them."""

    def over(moment: Moment) -> bool:
        stop = moment.snapshot.stop
        if stop is None or not moment.snapshot.paused:
            return False
        return moment.moved and (stop.boundary.done in phases or stop.boundary.opens is not None)

    return over


HINTS = (
    Hint("press {next}: {comes}", lambda moment: moment.moved),
    Hint("the rail says what {done} did, in figures; now {next} again", lambda moment: moment.moved),
    Hint("{next} goes on; watch the rail until backward is done", _done("backward"), 6),
    Hint("look at the rail: backward wrote {grads}; {next} runs step", _done("step"), 6),
    Hint(
        "{marks}{panel_model}, {open} on a parameter shows it",
        lambda moment: moment.panel == "tensor" != moment.from_panel or "tensor" in moment.beside,
    ),
    Hint(
        "its value, gradient, optimizer state: {part} shows the next of them",
        lambda moment: moment.moved or moment.panel != "tensor",
    ),
    Hint("{owners} on a parameter says who owns it, and what hangs on it", lambda moment: moment.owners),
    Hint(
        "{break}, then enter: a breakpoint; {continue} runs to the next one met",
        lambda moment: bool(moment.snapshot.session.breakpoints),
    ),
    Hint("{help} shows every key, {quit} leaves; no hints from here on", lambda moment: moment.moved),
)
"""The hints, in the order in which they are shown."""


def advanced(place: int, moment: Moment) -> int:
    """The place of the hint to show, `len(HINTS)` after the last."""
    if place == len(HINTS):
        return place
    hint = HINTS[place]
    return place + 1 if hint.over(moment) or moment.stops >= hint.patience else place


def inside(stop: Stop, inner: Inner) -> str:
    """How one goes on from a stop within a phase."""
    if not stop.boundary.inside and inner.name:
        return "training stands at a line, between two phases; {next} goes to the next phase"
    if not stop.boundary.inside:
        return "stepdbg.breakpoint() has stopped training here; {next} goes on"
    phase = plain(stop.boundary.inside[-1]).replace("{", "{{").replace("}", "}}")
    if inner.unit not in UNITS:
        return f"inside {phase}, {{next}} goes to its end"
    key, unit = UNITS[inner.unit]
    if inner.total and inner.place >= inner.total:
        return f"inside {phase}, that was the last {unit}; {{next}} goes on"
    return f"inside {phase}, {key} goes to the next {unit}, {{next}} to its end"


def words(place: int, snapshot: Snapshot) -> str:
    """What the hint says here; nothing while training does not stand."""
    stop = snapshot.stop
    if place >= len(HINTS) or stop is None or not snapshot.paused:
        return ""
    fields = dict(snapshot.keys)
    if stop.inner is not None:
        return inside(stop, stop.inner).format_map(fields)
    following = stop.boundary.next or ""
    fields["comes"] = COMES.get(following, f"{following} comes next" if following else "the script goes on to its end")
    fields["done"] = stop.boundary.done or "the phase"
    written = sum(one.count for one in stop.effects.counts if one.kind == "grad") if stop.effects is not None else 0
    fields["grads"] = f"{written} grads" if written else "the gradients"
    fields["marks"] = "* marks what step changed; " if stop.boundary.done == "step" else ""
    return HINTS[place].text.format_map(fields)
