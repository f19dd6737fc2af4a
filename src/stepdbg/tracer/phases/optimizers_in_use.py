"""The optimizers of a training loop: which have stepped in this update, and which must have before the next one opens.

An optimizer is whatever can be told apart from others. The rule for when an update opens is that of the design's word
list; what the user's own loops tell (`turns`) goes before what the order of phases alone tells.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import NamedTuple

from stepdbg.tracer.phases.order import first_of
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.turns import AFTERWARDS, Turn, opens_by_turn

Place = tuple[Hashable, ...]
"""Where a phase begins some time after a step: its name, the optimizer that has stepped last, and the functions that
run, innermost first, each by its code's `id` with the offset of the instruction at which it is."""


def place_of(phase: str, stepped: Hashable, frame: FrameType | None) -> Place:
    """The place of a phase that the code of that frame calls for, that optimizer having stepped last."""
    place: list[Hashable] = [phase, stepped]
    while frame is not None:
        place += (id(frame.f_code), frame.f_lasti)
        frame = frame.f_back
    return tuple(place)


class Known(NamedTuple):
    """What was seen of the phases at one place."""

    opens: bool | None
    """Whether an update opens there; None where one did sometimes."""
    by_order: bool
    """Whether the order of phases alone has told right each time."""
    codes: tuple[CodeType, ...]
    """What runs there, which has to stay: another code may have the `id` of one that is gone."""


_MOST = 64
"""So many places are kept."""
_KNOWN = 2
"""The number of updates in a row that the order of phases alone must have told of before it is relied on."""


@dataclass(slots=True)
class OptimizersInUse:
    """The optimizers, as far as updates depend on them."""

    stepped: set[Hashable] = field(default_factory=set)
    """The optimizers that have stepped in this update."""
    required: set[Hashable] = field(default_factory=set)
    """The optimizers that must have stepped before a forward or zero_grad opens an update."""
    fresh: set[Hashable] = field(default_factory=set)
    """Optimizers that were made in mid-run and have not stepped yet: another fold's, another stage's."""
    unused: set[Hashable] = field(default_factory=set)
    """Optimizers that were made and have never stepped."""
    trailing: set[Hashable] = field(default_factory=set)
    """The optimizers whose `zero_grad` ends a round (None: a model's), as far as was seen."""
    agreed: int = 0
    """The number of updates in a row that have opened where the order of phases alone would have opened them."""
    places: dict[Place, Known] = field(default_factory=dict)
    """The places at which phases have begun when some optimizer had stepped, and what was seen there."""
    place: tuple[Place, tuple[CodeType, ...]] | None = None
    """The place of the phase that begins, where it is known, and what runs there; the phase tracker takes it."""
    newest: Hashable = None
    """The optimizer that has stepped last."""
    unsure: bool = False
    """Whether this update has opened at a new place, and no step has been seen since: it may be another one than is
    known."""
    _differs: bool = False
    """Whether within this update loops have told otherwise than that order."""

    @property
    def all(self) -> set[Hashable]:
        """The optimizers that have stepped in this update or must do so."""
        return self.required | self.stepped

    @property
    def regular(self) -> bool:
        """Whether the order of phases alone tells where updates open, as far as was seen."""
        return self.agreed >= _KNOWN and not (self._differs or self.unsure)

    def note_step(self, optimizer: Hashable) -> None:
        """Note that an optimizer has stepped, or would have (its scaler skipped the step)."""
        self.stepped.add(optimizer)
        self.newest = optimizer
        self.fresh.discard(optimizer)
        self.unused.discard(optimizer)

    def note_made(self, optimizer: Hashable, *, in_first_update: bool) -> None:
        """Note that an optimizer was made, which will step. In the first update nothing else has been learned yet."""
        self.unused.add(optimizer)
        if self.stepped or not in_first_update:
            self.fresh.add(optimizer)
        else:
            self.required.add(optimizer)

    def note_zero_grad(self, optimizer: Hashable) -> None:
        """An optimizer whose gradients are zeroed when others have stepped in this update still will step in it."""
        if not (optimizer is None or optimizer in self.stepped or optimizer in self.fresh):
            self.required.add(optimizer)

    def opens_update(
        self,
        following: str,
        optimizer: Hashable,
        turn: Turn | None,
        phases: list[Phase],
        before: list[Phase],
        place: tuple[Place, tuple[CodeType, ...]] | None,
    ) -> bool:
        """Whether an update opens, some optimizer having stepped in this one.

        Args:
            following: The phase that begins.
            optimizer: The optimizer whose phase it is.
            turn: What the user's loops tell, if they do.
            phases: The phases done in this update.
            before: The phases of the last complete update.
            place: The place of the phase, where it is known, and what runs there.
        """
        opens = by_order = self._opens_by_order(following, optimizer, phases)
        noted, regular = by_order, self.regular
        evaluates = following == "forward" and regular and first_of(before) not in (None, "forward")
        if turn is not None:
            several, again = len(self.all) > 1, optimizer in self.stepped
            opens = opens_by_turn(turn, following, several=several, by_order=by_order, again=again)
            if following == "zero_grad":
                self._note_trailing(optimizer, trails=turn == "over")
                by_order = self._opens_by_order(following, optimizer, phases)
        elif evaluates:
            opens = by_order = False  # one from which nothing is learned: an evaluation with gradients on
        if place is not None and regular and following not in AFTERWARDS:
            self._learn(place[0], Known(opens, opens == (noted and not evaluates), place[1]))
        self._differs = self._differs or opens != by_order
        return opens

    def _note_trailing(self, optimizer: Hashable, *, trails: bool) -> None:
        """Note whether the `zero_grad` of an optimizer ends a round; the order of phases tells something else then."""
        if trails != (optimizer in self.trailing):
            (self.trailing.add if trails else self.trailing.discard)(optimizer)
            self.places.clear()

    def _learn(self, place: Place, seen: Known) -> None:
        """Learn from a phase that begins at a place, some optimizer having stepped in this update."""
        known = self.places.get(place)
        self.unsure = bool(seen.opens) and known is None
        if known is not None:
            same = seen.opens == known.opens
            seen = Known(seen.opens if same else None, seen.by_order and known.by_order, seen.codes)
        elif len(self.places) >= _MOST:
            self.places.clear()
        self.places[place] = seen

    def _opens_by_order(self, following: str, optimizer: Hashable, phases: list[Phase]) -> bool:
        """Whether the order of phases alone says that an update opens."""
        stepped = self.stepped
        if following == "data":
            return True
        if following == "zero_grad" and optimizer in self.trailing:
            return False
        # (optimizers that have all been replaced by new ones, as by the next fold's, are waited for no longer)
        all_stepped = self.required <= stepped or self.required.isdisjoint(stepped)
        if following in ("forward", "backward") or optimizer is None:
            return all_stepped and following in ("forward", "backward", "zero_grad")
        if following in ("zero_grad", "step"):
            if optimizer in stepped:
                # in a GAN that zeroes both each time this is still the same round: the next batch says that it is over
                return all_stepped or not any(phase.name == "data" for phase in phases)
            return following == "zero_grad" and optimizer in self.fresh
        return False

    def next_update(self) -> None:
        """An update has opened: the optimizers that stepped in the last one must step in it."""
        self.required, self.stepped = self.stepped, set()
        self.agreed = 0 if self._differs else self.agreed + 1
        self._differs = False

    def back_to(self, stepped: set[Hashable], required: set[Hashable]) -> None:
        """The newest update was none: these optimizers had stepped in the one before, and those had to."""
        self.stepped, self.required = stepped, required
