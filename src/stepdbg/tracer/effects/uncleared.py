"""Gradients that several steps of an optimizer were made with, since nothing has cleared them in between.

Followed from stop to stop while each phase is looked at. A gradient that is added to before its optimizer has stepped
is accumulation, and so is one of another optimizer's: what counts is that a step was made with it, that backward has
added to it since, and that the same optimizer steps with it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from stepdbg.protocol.messages import Boundary, Effect

_ADDING = "backward"
_KEEPING = frozenset((_ADDING, "clip", "unscale"))
"""Phases that change gradients and clear none."""


class UnclearedGradients:
    """What is known of the gradients since they were cleared last."""

    def __init__(self) -> None:
        self._at = 0
        """The boundary of the stop before, by its index."""
        self._steps: dict[int, int] = {}
        """The optimizers, by identity, that have stepped since; each with how many steps in a row, up to its last, were
        made with a gradient of the one before."""
        self._added: dict[str, frozenset[int]] = {}
        """The gradients that were added to since, each with the optimizers that had stepped by then."""

    def told(
        self,
        boundary: Boundary,
        effects: Sequence[Effect] | None,
        optimizer: Any,
        named: Callable[[Any], Collection[str]],
    ) -> str:
        """That the step done was made with gradients of earlier steps, in words; empty where it was not.

        Args:
            boundary: Where training has stopped.
            effects: Of the phase done, if it was looked at from its beginning; else None.
            optimizer: Whose step it was, where it was one's.
            named: The names of an optimizer's parameters.
        """
        follows, self._at = boundary.index == self._at + 1, boundary.index
        if not follows or (effects is None and boundary.done is not None):
            self.forget()
        done = boundary.done
        if done is None or effects is None:
            return ""
        by_call = [one for one in effects if one.kind == "grad" and not one.after] if self._steps else []
        if any(one.what == "freed" or one.before or done not in _KEEPING for one in by_call):
            self.forget()
        if done == _ADDING and self._steps:
            stepped = frozenset(self._steps)
            self._added.update((one.object.removesuffix(".grad"), stepped) for one in by_call if one.what == "changed")
        told = self._of_step(optimizer, named) if done == "step" and not boundary.skipped else ""
        if any(one.after and one.kind == "grad" for one in effects):
            self.forget()
        return told

    def _of_step(self, optimizer: Any, named: Callable[[Any], Collection[str]]) -> str:
        if optimizer is None:
            return ""
        mine = set(named(optimizer)) if self._added else set[str]()
        again = {name for name in mine if id(optimizer) in self._added.get(name, ())}
        self._steps[id(optimizer)] = self._steps.get(id(optimizer), 0) + 1 if again else 0
        for name in mine:
            self._added.pop(name, None)
        if not again:
            return ""
        times = self._steps[id(optimizer)] + 1
        if len(again) == 1:
            return f"the gradient of {again.pop()} adds up over {times} steps: nothing has cleared it"
        return f"the gradients of {len(again)} parameters add up over {times} steps: nothing has cleared them"

    def forget(self) -> None:
        """Nothing is known any more: somebody may have written them."""
        self._steps.clear()
        self._added.clear()
