"""What a click on a span stands for, wherever it is drawn; what concerns one panel alone lies with that panel."""

from __future__ import annotations

from stepdbg.tui.drawing.lines import Target


class ActionTarget(Target, frozen=True):
    """An action is to be done, as by its key."""

    action: str
    """The id of the action that a click does."""


class PanelTarget(Target, frozen=True):
    """A panel is to be gone to."""

    panel: str


class ObjectTarget(Target, frozen=True):
    """An object is to be shown in the Tensor panel."""

    object: str
    """The name of the object that a click opens."""


class PhaseTarget(Target, frozen=True):
    """A phase is to be selected on the rail."""

    phase: str


class RankTarget(Target, frozen=True):
    """A rank is to be looked at."""

    rank: int


class StopTarget(Target, frozen=True):
    """A stop is to be looked at."""

    boundary: int
    """The index of its boundary."""
