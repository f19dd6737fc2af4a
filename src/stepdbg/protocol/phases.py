"""The phases that stepdbg itself knows, a row each: what holds of every phase of that name, for all who ask.

A script may name further ones (`stepdbg.phase("ema")`, a generator's `yield "ema"`); of those nothing is known.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import Kind


class PhaseKind(NamedTuple):
    """What holds of the phases of one name."""

    name: str
    changes: tuple[Kind, ...] = ()
    """The kinds of objects that its call usually changes, of those that are looked at before it."""
    never: tuple[Kind, ...] | None = None
    """The kinds that its call does not change: where they have changed, another did it. None where nobody can tell."""
    has_inside: bool = False
    """Whether it can be stepped into: it is more than one call of torch's or of a loader's."""
    opens: bool = True
    """Whether an update may open with it; else it belongs to the one before, or to one that is open."""
    is_call: bool = True
    """Whether it is a call of torch's, in which no update opens."""
    precedes_step: bool = False
    """Whether a script may do it between a backward and its step by hand."""


KINDS = (
    PhaseKind("data"),
    PhaseKind("zero_grad", ("grad",), ("parameter", "buffer", "state", "hyperparameter"), is_call=False),
    PhaseKind("forward", ("buffer",), has_inside=True),
    PhaseKind("eval", ("buffer",), has_inside=True, opens=False, precedes_step=True),
    PhaseKind("loss", has_inside=True, opens=False, is_call=False),
    PhaseKind("backward", ("grad", "buffer"), ("parameter", "state", "hyperparameter"), has_inside=True),
    PhaseKind(
        "unscale", ("grad",), ("parameter", "buffer", "state", "hyperparameter"), opens=False, precedes_step=True
    ),
    PhaseKind("clip", ("grad",), ("parameter", "buffer", "state", "hyperparameter"), opens=False, precedes_step=True),
    PhaseKind("step", ("parameter", "state", "buffer"), ("buffer", "hyperparameter"), has_inside=True),
    PhaseKind("scheduler", (), ("parameter", "grad", "buffer", "state"), opens=False, precedes_step=True),
)
"""All of them, in the order of an update. (A step changes no parameter but those of its optimizer.)"""
PHASES = tuple(kind.name for kind in KINDS)
"""Their names."""
