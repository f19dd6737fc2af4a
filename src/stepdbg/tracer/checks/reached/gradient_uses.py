"""What has become of each gradient since backward wrote it: whether a step was made with it, or something cleared it.

Told by the order of boundaries alone; of a gradient that nobody has seen written nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stepdbg.protocol.messages import Effect
from stepdbg.tracer.checks.moment import Moment, Place


@dataclass
class Gradient:
    """A gradient that was written since somebody has looked."""

    written: Place | None
    """Where the backward was called that has written it last; None where the script has written it itself."""
    cleared: bool = False
    """Whether it was cleared since."""
    by: str = ""
    """What has cleared it: `zero_grad`; empty for the script itself."""
    where: Place | None = None
    """Where that was called."""
    used: dict[int, Place | None] = field(default_factory=dict)
    """The optimizers, by `id`, that have made a step with it since it was written, each with the place of the step."""


_SCALING = ("clip", "unscale", "step")
"""Phases that change a gradient and make no other of it."""


class GradientUses:
    """All gradients, by the names of their parameters."""

    def __init__(self) -> None:
        self._known: dict[str, Gradient] = {}

    def see(self, moment: Moment) -> None:
        """Look at what was done up to the end of the phase's call."""
        for one in moment.effects:
            if one.kind == "grad" and one.before:
                self._by_script(moment, one)
        for one in moment.effects:
            if one.kind == "grad" and not (one.before or one.after):
                self._by_phase(moment, one)

    def see_after(self, moment: Moment) -> None:
        """Look at what the script has done since."""
        for one in moment.effects:
            if one.kind == "grad" and one.after:
                self._by_script(moment, one)

    def of(self, names: Iterable[str]) -> dict[str, Gradient]:
        """Those of these parameters of which something is known."""
        return {name: self._known[name] for name in names if name in self._known}

    def use(self, names: Iterable[str], optimizer: object, place: Place | None) -> None:
        """A step was made with them."""
        for name in names:
            if name in self._known:
                self._known[name].used[id(optimizer)] = place

    def forget(self) -> None:
        """Boundaries have passed that nobody has looked at."""
        self._known.clear()

    def _by_phase(self, moment: Moment, one: Effect) -> None:
        name = one.object.removesuffix(".grad")
        if moment.done == "backward":
            self._known[name] = Gradient(moment.place)
        elif moment.done == "zero_grad":
            self._clear(name, "zero_grad", moment.place)
        elif one.what == "freed":
            self._known.pop(name, None)
        elif one.what == "created" or (one.what == "changed" and moment.done not in _SCALING):
            self._known[name] = Gradient(None)  # (the script has written it between a forward and the next boundary)

    def _by_script(self, moment: Moment, one: Effect) -> None:
        name = one.object.removesuffix(".grad")
        if one.what == "freed" or (one.what != "created" and _is_zero(moment, name)):
            self._clear(name, "", None)
        else:
            self._known[name] = Gradient(None)

    def _clear(self, name: str, by: str, where: Place | None) -> None:
        known = self._known.get(name)
        if known is not None and not known.cleared:
            known.cleared, known.by, known.where = True, by, where


def _is_zero(moment: Moment, name: str) -> bool:
    gradient = moment.gradient_of(name)
    if gradient is None or gradient.is_sparse or gradient.device.type == "meta":
        return False
    return not bool(gradient.any())
