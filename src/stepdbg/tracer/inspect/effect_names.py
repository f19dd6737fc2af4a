"""The names behind the counts of effects that a stop tells."""

from __future__ import annotations

from stepdbg.listing.effect_names import Newest
from stepdbg.protocol import messages as m
from stepdbg.tracer.handler import AtStop, Handler


class EffectNames(Handler):
    """Answers `ListEffects`, for the newest stops."""

    answers = (m.ListEffects,)

    def __init__(self) -> None:
        self._newest = Newest()

    def open(self, at: AtStop) -> None:
        """Training has stopped after these effects."""
        self._newest.keep(at.boundary.index, at.effects)

    def let_go(self) -> None:
        """Training runs on by itself."""
        self._newest.forget()

    def answer(self, query: m.ListEffects) -> m.Result:
        """The names that are in view."""
        return self._newest.window(query) or m.Refusal("their names are not kept any more")
