"""The same batch again and again: out of a loader that has more, from a data set that gives the same sample whatever is
asked for, or from several workers that each read the whole of it.

Batches are told by the fingerprints of their bytes. Training on one batch that the script keeps is legal: nothing is
fetched there. So is a loader that has one batch only, and a loop that is left after its first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.checks.worker_randomness import shared_generators
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.safe_access import attributes_of, is_a
from stepdbg.tracer.objects.loaders.fetched import Fetched
from stepdbg.tracer.tensors.readable import ORDINARY

_AGAIN = 3
"""So many times in a row the same batch has to come."""
_ROUNDS = 2
"""So many rounds of all workers are compared."""


class _Batch(NamedTuple):
    prints: tuple[object, ...]
    fetched: Fetched
    place: Place | None
    update: int
    name: str


class DuplicateBatch(Rule):
    """The rule `duplicate-batch`."""

    name = "duplicate-batch"

    def __init__(self) -> None:
        self._batches: deque[_Batch] = deque(maxlen=64)
        """The newest batches that were fetched from loaders, oldest first."""
        self._looked_into: set[int] = set()
        """The data sets whose generators were looked for, by `id`."""
        self._differ = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        fetched = moment.fetched
        if moment.done != "data" or fetched is None:
            return
        names = [name for name, one in moment.alive.items() if one.kind == "batch"]
        newest = moment.registry.newest.batch()
        tensors = [newest] if isinstance(newest, torch.Tensor) else list(newest or ())
        own = [name for name in names if any(moment.alive[name].tensor is one for one in tensors)]
        prints = tuple(one.print for name in own if (one := moment.record(name)) is not None)
        if not prints or None in prints:
            return
        if self._batches and self._batches[-1].prints != prints:
            self._differ = True
        self._batches.append(_Batch(prints, fetched, moment.place, moment.update, own[0]))
        yield from self._of_iterators(moment)
        yield from self._of_data_set(moment)
        yield from self._of_workers(moment)
        yield from self._of_generators(moment, fetched)

    def forget(self) -> None:
        self._batches.clear()

    def right(self) -> str:
        return "batches differ" if self._differ else ""

    def _of_iterators(self, moment: Moment) -> Iterator[Finding]:
        """`next(iter(loader))` in the loop."""
        last = self._same(_AGAIN)
        if not last or not all(one.fetched.by_iter and one.fetched.number == 1 and one.fetched.more for one in last):
            return
        readings = {one.fetched.reading for one in last}
        if len(readings) < _AGAIN or len({(one.place, id(_of(one.fetched.dataset))) for one in last}) > 1:
            return
        if len({one.update for one in last}) < _AGAIN:
            return
        one = last[0]
        yield self.finding(
            moment,
            f"each update fetches the same batch: {at(one.place)} begins to read the loader anew each time, and "
            f"takes its first batch",
            objects=[one.name],
            place=one.place,
            evidence=f"the bytes of {one.name} are the same in {_AGAIN} updates in a row, each out of an iterator of "
            f"its own that has more batches",
            cause=f"iter() is called for each batch, at {at(one.place)}",
            fix="loop over the loader (for batch in loader), or make the iterator once, before the loop",
        )

    def _of_data_set(self, moment: Moment) -> Iterator[Finding]:
        """A data set that holds many samples and gives the same for each index."""
        last = self._same(_AGAIN)
        if not last or len({one.fetched.reading for one in last}) > 1 or last[0].fetched.iterable:
            return
        dataset, samples = _of(last[0].fetched.dataset), last[0].fetched.samples
        held = _various(dataset, samples) if dataset is not None and samples else ""
        if not held:
            return
        one = last[0]
        yield self.finding(
            moment,
            f"each batch of the loader is the same: the data set holds {samples} samples in {held}, and gives the "
            f"same for every index",
            objects=[one.name],
            place=_getter(type(dataset)) or one.place,
            evidence=f"the bytes of {one.name} are the same in {_AGAIN} batches in a row, of {samples} samples "
            f"of which not all are equal",
            cause=f"__getitem__ of {type.__dict__['__name__'].__get__(type(dataset))} does not go by its index",
            fix="use the index that __getitem__ is given",
        )

    def _of_workers(self, moment: Moment) -> Iterator[Finding]:
        """Workers that each read all of a data set that gives samples in its own order."""
        newest = self._batches[-1].fetched
        workers = newest.workers
        if workers < 2 or not newest.iterable or newest.number < _ROUNDS * workers:
            return
        batches = [one for one in self._batches if one.fetched.reading == newest.reading][-newest.number :]
        first = [one for one in batches if one.fetched.number <= _ROUNDS * workers]
        if [one.fetched.number for one in first] != [*range(1, _ROUNDS * workers + 1)]:
            return
        rounds = [{one.prints for one in first[place : place + workers]} for place in range(0, len(first), workers)]
        if any(len(prints) > 1 for prints in rounds) or rounds[0] == rounds[1]:
            return
        dataset = _of(newest.dataset)
        yield self.finding(
            moment,
            f"each of {workers} workers reads the whole data set: every batch comes {workers} times",
            objects=[first[0].name],
            place=(_method(type(dataset), "__iter__") if dataset is not None else None) or first[0].place,
            evidence=f"batches 1 to {workers} have the same bytes, and so have batches {workers + 1} to {2 * workers}",
            cause="__iter__ of the data set does not ask which worker it runs in",
            fix="in __iter__, read the share of the worker that torch.utils.data.get_worker_info() tells of",
            update=first[0].update,
        )

    def _of_generators(self, moment: Moment, fetched: Fetched) -> Iterator[Finding]:
        """A random generator that the data set holds, of which each worker gets the same copy."""
        dataset = _of(fetched.dataset)
        if fetched.workers < 2 or dataset is None or id(dataset) in self._looked_into:
            return
        self._looked_into.add(id(dataset))
        for path, kind, place in shared_generators(dataset, _of(fetched.worker_init)):
            yield self.finding(
                moment,
                f"each of {fetched.workers} workers draws the same random numbers: the data set's {path} is copied "
                f"into all of them",
                objects=[f"dataset.{path}"],
                place=place,
                evidence=f"{path} is a {kind} in one state, the loader has {fetched.workers} workers, and nothing that "
                f"they run seeds it",
                cause=f"{path} was made before the workers began, and {at(place)} draws from it in each",
                fix="make the generator in the worker (worker_init_fn, or at the first sample), seeded from "
                "torch.initial_seed()",
                severity="warning",
            )

    def _same(self, number: int) -> list[_Batch]:
        """The newest batches, if they are the same."""
        last = [*self._batches][-number:]
        return last if len(last) == number and len({one.prints for one in last}) == 1 else []


def _of(reference: Any) -> Any:
    return reference() if reference is not None else None


def _various(dataset: Any, samples: int) -> str:
    """The attribute in which a data set holds so many samples that are not all equal; empty where it holds none."""
    for path, value in attributes_of(dataset):
        if not is_a(value, torch.Tensor) or type(value) not in ORDINARY:
            continue
        held: Any = value
        if held.dim() and held.shape[0] == samples and held.is_cpu and not torch.equal(held, held[:1].expand_as(held)):
            return path.lstrip(".")
    return ""


def _getter(kind: type) -> Place | None:
    return _method(kind, "__getitem__")


def _method(kind: type, name: str) -> Place | None:
    """Where the user's own class defines a method."""
    for one in type.mro(kind):
        function: Any = vars(one).get(name)
        if is_a(function, FunctionType) and frames.origin(function.__code__.co_filename) == "user":
            return function.__code__.co_filename, function.__code__.co_firstlineno
    return None
