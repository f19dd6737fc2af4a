"""Which model a stop is about, in loops with several: the panels follow it, so that what changed is in view."""

from __future__ import annotations

from stepdbg.protocol.messages import Stop
from stepdbg.tui.state.snapshot import Snapshot

_OF_A_MODEL = ("parameter", "grad", "buffer")


def model_of(name: str, snapshot: Snapshot) -> str:
    """The model that an object of that name belongs to; empty where it is of none."""
    owners = [model for model, _ in snapshot.models if name == model or name.startswith(f"{model}.")]
    return max(owners, key=len, default="")


def changed_names(stop: Stop | None) -> list[str]:
    """The parameters and buffers that the phase done did something to, or to whose gradients, as far as named. What
    the script did after it, to an average of the weights, is not what the phase was about.
    """
    named = stop.effects.named if stop is not None and stop.effects is not None else ()
    return [
        one.object.removesuffix(".grad") for one in named if one.kind in _OF_A_MODEL and not (one.after or one.before)
    ]


def moved_to(snapshot: Snapshot, here: str) -> str:
    """The row to go to from `here`, where the phase just done is about another model: what it changed there first, or
    the model that it called. Empty where there is one model only, or what is in view is of the one that it is about.
    """
    if len(snapshot.models) < 2 or snapshot.stop is None or snapshot.stop.inner is not None:
        return ""
    stop = snapshot.stop
    names = [name for name in changed_names(stop) if model_of(name, snapshot)]
    if not names:
        done = stop.phases[-1] if stop.phases and stop.phases[-1].name == stop.boundary.done else None
        names = [done.of] if done is not None and any(done.of == model for model, _ in snapshot.models) else []
    about = {model_of(name, snapshot) for name in names}
    return "" if not names or model_of(here, snapshot) in about else names[0]
