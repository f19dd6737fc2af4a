"""What ranks that train replicas of one model have after each step, held against each other.

Each rank tells the fingerprints of its parameters and gradients; none waits for another, and no collective is started.
Found is the first step after which replicas differ, and by what of the three they came to: written by the script, other
gradients, or another step; and ranks that all train on the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stepdbg.protocol.messages import Finding, ReplicaStepped

DIVERGENCE, DUPLICATE = "rank-divergence", "duplicate-batch"
_SAME_BATCHES = 3
"""So many steps in a row all ranks have to train on the same batches."""


class Replicas:
    """What the ranks have told.

    Args:
        rules: The names of the rules that are checked.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        self._rules = rules
        self._told: dict[int, dict[int, ReplicaStepped]] = {}
        """By the number of the step, what each rank has told."""
        self._alike: list[int] = []
        """The steps that all ranks made on the same batches, in a row."""
        self._compared = 0
        self._diverged = self._doubled = False

    @property
    def right(self) -> tuple[str, ...]:
        """What is known to be right."""
        return ("replicas are the same on all ranks",) if self._compared and not self._diverged else ()

    def note(self, rank: int, message: ReplicaStepped, world: int) -> Iterator[Finding]:
        """A rank has made a step.

        Args:
            rank: Its number.
            message: What it tells.
            world: The number of ranks there are.
        """
        told = self._told.setdefault(message.step, {})
        told[rank] = message
        if len(told) < world or world < 2:
            return
        self._told = {step: ranks for step, ranks in self._told.items() if step > message.step}
        first, *others = (told[number] for number in sorted(told))
        if any(other.names != first.names for other in others):
            return
        self._compared += 1
        if not self._diverged:
            for number, other in zip(sorted(told)[1:], others, strict=True):
                if (found := _difference(first, other)) is not None:
                    self._diverged = True
                    if DIVERGENCE in self._rules:
                        yield _divergence(first, other, min(told), number, found)
                    break
        same = bool(first.batches) and all(other.batches == first.batches for other in others)
        self._alike = [*self._alike, message.step] if same else []
        if len(self._alike) >= _SAME_BATCHES and not self._doubled:
            self._doubled = True
            if DUPLICATE in self._rules:
                yield _duplicate(first, world)


class _Difference(NamedTuple):
    """The first boundary at which replicas differ, and in which parameters."""

    where: str
    """`before`, `gradients` or `step`."""
    names: list[str]


def _difference(one: ReplicaStepped, other: ReplicaStepped) -> _Difference | None:
    if one.after == other.after and one.before == other.before:
        return None
    for where in ("before", "gradients", "after"):
        pairs = zip(one.names, getattr(one, where), getattr(other, where), strict=True)
        if differing := [name for name, mine, its in pairs if mine != its]:
            return _Difference("step" if where == "after" else where, differing)
    return None


def _divergence(one: ReplicaStepped, other: ReplicaStepped, rank: int, number: int, found: _Difference) -> Finding:
    places = {phase: (file, line) for phase, file, line in one.places}
    mine, its = {phase for phase, *_ in one.places}, {phase: (file, line) for phase, file, line in other.places}
    step = f"step {one.step} ({one.optimizer})" if one.optimizer else f"step {one.step}"
    if found.where == "before":
        wrote = "script" in mine or "script" in its
        place = next(
            (one[kind] for kind in ("script", "load", "forward") for one in (places, its) if kind in one), ("", 0)
        )
        when = "before the first forward" if one.step == 1 else f"after step {one.step - 1}, before {step}"
        cause = (
            f"the script has written parameters on its own, before {_at(place)}, and on each rank other values"
            if wrote
            else f"after {one.wrapper} has made all replicas alike, each rank has given them values of its own"
            + (f": load_state_dict is called at {_at(place)}" if "load" in mine | its.keys() else "")
        )
        fix = f"set parameters before the model is wrapped, or on all ranks alike (broadcast them from rank {rank})"
    elif found.where == "gradients":
        place, when = places.get("backward") or ("", 0), f"at the gradients of {step}"
        if one.around or other.around:
            place = places.get("forward") or place
            cause = (
                f"the forward at {_at(place)} calls {one.model or 'the model'} itself and not {one.wrapper}, which "
                f"therefore averages no gradients"
            )
            fix = f"call {one.wrapper}"
        elif one.unsynced or other.unsynced:
            cause = f"the last backward before the step, at {_at(place)}, ran under no_sync()"
            fix = "leave no_sync() for the last backward of each step"
        else:
            cause = f"{one.wrapper} has not averaged the gradients of the backward at {_at(place)}"
            fix = f"use {one.wrapper} for every forward, with all parameters that are trained in it when it is made"
    else:
        place, when = places.get("step") or ("", 0), f"in {step}"
        differs = one.settings != other.settings
        cause = (
            f"the learning rates differ: {one.settings} on rank {rank}, {other.settings} on rank {number}"
            if differs
            else "parameters and gradients were the same, so the states or settings of the optimizer are not"
        )
        fix = "make the optimizer and its schedule alike on all ranks, and load its state on all of them"
    return Finding(
        DIVERGENCE,
        "error",
        f"the replicas of ranks {rank} and {number} differ, first {when}: {_some(found.names)}",
        objects=tuple(found.names),
        file=place[0],
        line=place[1],
        first=one.update,
        last=one.update,
        evidence=f"{len(found.names)} of {len(one.names)} "
        f"{'gradients' if found.where == 'gradients' else 'parameters'} have other bytes on rank {number} than on "
        f"rank {rank}",
        cause=cause,
        fix=fix,
        rank=rank,
        boundary=one.boundary,
    )


def _duplicate(one: ReplicaStepped, world: int) -> Finding:
    place = next(((file, line) for phase, file, line in one.places if phase == "data"), ("", 0))
    return Finding(
        DUPLICATE,
        "error",
        f"all {world} ranks train on the same batches",
        file=place[0],
        line=place[1],
        first=one.update,
        last=one.update,
        evidence=f"the batches of {_SAME_BATCHES} steps in a row have the same bytes on all {world} ranks",
        cause=f"the loader that is read at {_at(place)} does not give each rank a share of its own",
        fix="give the loader a torch.utils.data.distributed.DistributedSampler, and call its set_epoch in each epoch",
        boundary=one.boundary,
    )


def _at(place: tuple[str, int]) -> str:
    return f"{place[0].rpartition('/')[2]}:{place[1]}" if place[0] else "an unknown line"


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
