"""Where one came from: the panels that were left, so that `esc` leads back through them one by one."""

from __future__ import annotations

from typing import NamedTuple

KEPT = 40
"""Steps that are remembered."""


class Step(NamedTuple):
    """One panel left for another."""

    origin: str
    """The panel, or `rail`."""
    target: str
    view: str | None = None
    """What was opened there (`tensor`, `graph`, `owners`, …); None where the panel alone was gone to."""


class Trail:
    """The steps of the user, oldest first."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._before_past = 0
        """How many there were when the past was entered."""

    def note(self, origin: str, target: str, view: str | None = None) -> None:
        """A panel was left for another."""
        if origin != target:
            self._steps = [*self._steps[-KEPT + 1 :], Step(origin, target, view)]
            self._before_past = min(self._before_past, len(self._steps) - 1)

    def look_back(self, *, already: bool) -> None:
        """Another stop is looked at: what was opened before the first of the past is come back to after the past."""
        self._before_past = self._before_past if already else len(self._steps)

    def last(self, here: str) -> Step | None:
        """The step that led to that panel; steps that led elsewhere are forgotten."""
        while self._steps and self._steps[-1].target != here:
            self._steps.pop()
        return self._steps[-1] if self._steps else None

    def opened(self, here: str, *, in_past: bool) -> Step | None:
        """The step that opened something in that panel; in the past only one that was taken there."""
        step = self.last(here)
        if step is None or step.view is None or (in_past and len(self._steps) <= self._before_past):
            return None
        return step

    def opened_from(self, here: str, *, in_past: bool) -> str:
        """The panel that such a step was taken from; empty where there is none."""
        step = self.opened(here, in_past=in_past)
        return step.origin if step is not None else ""

    def back(self, here: str) -> str:
        """Take the last step back; the panel that it was taken from, or nothing."""
        step = self.last(here)
        if step is None:
            return ""
        self._steps.pop()
        return step.origin
