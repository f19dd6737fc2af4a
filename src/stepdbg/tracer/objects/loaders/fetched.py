"""The batch that training has fetched from a loader: from which iterator, which of its batches, and whether there are
more. Noted as the batch comes, while rules look, since an iterator may be gone by the next boundary.

Nothing of a data set is run: how much is left is read off torch's own samplers, which have asked for it.
"""

from __future__ import annotations

import dis
import operator
import weakref
from dataclasses import dataclass, field
from types import FrameType, GeneratorType
from typing import Any

from torch.utils.data import BatchSampler, IterableDataset, RandomSampler
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.variable_uses import lines_that_name

_GET_ITER = dis.opmap["GET_ITER"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch that has come from a loader."""

    reading: int
    """The number of the iteration over a loader that it is part of."""
    number: int
    """The number of the batch in that, from 1."""
    more: bool
    """Whether there are more batches in it, as far as is known."""
    by_iter: bool
    """Whether the script's own code has called `iter` for it: no loop has."""
    workers: int
    samples: int
    """The number of samples of the data set; 0 where it is not known."""
    dataset: Any
    """A weak reference to the data set, or None."""
    iterable: bool
    """Whether the data set gives samples in its own order."""
    worker_init: Any
    """A weak reference to what each worker calls first, or None."""


@dataclass(slots=True)
class Fetching:
    """What is noted of batches as they come."""

    on: bool = False
    """Whether anything is."""
    newest: Fetched | None = None
    _readings: weakref.WeakKeyDictionary[Any, tuple[int, bool]] = field(default_factory=weakref.WeakKeyDictionary)
    """The iterators: their number, and whether the script itself has called `iter`."""
    _count: int = 0
    passes: int = 0
    """How often an iterator was found to have no batch left."""
    batches: int = 0
    """The number of batches that the last of these has given."""

    def begins(self, iterator: Any, caller: FrameType) -> None:
        """A loader has given an iterator to who has called it there."""
        self._count += 1
        code = caller.f_code
        own = frames.origin(code.co_filename) == "user" and code.co_code[caller.f_lasti] != _GET_ITER
        lines = {*lines_that_name(code, "iter"), *lines_that_name(code, "__iter__")} if own else ()
        self._readings[iterator] = self._count, caller.f_lineno in lines

    def came(self, iterator: Any) -> None:
        """A batch has come."""
        number, by_iter = self._readings.get(iterator, (0, False))
        dataset = iterator._dataset
        more, samples = _left(iterator)
        self.newest = Fetched(
            number,
            iterator._num_yielded,
            more,
            by_iter,
            iterator._num_workers,
            samples,
            _weakly(dataset),
            issubclass(type(dataset), IterableDataset),
            _weakly(getattr(iterator, "_worker_init_fn", None)),
        )

    def over(self, iterator: Any) -> None:
        """An iterator has no batch left."""
        self.passes, self.batches = self.passes + 1, iterator._num_yielded


def _left(iterator: Any) -> tuple[bool, int]:
    """Whether an iterator has more batches, and how many samples there are in all; False and 0 if that is not known."""
    batches = iterator._sampler_iter
    if type(batches) is not GeneratorType or batches.gi_frame is None:
        return False, 0
    if batches.gi_code is not BatchSampler.__iter__.__code__:
        return False, 0
    variables = frames.local_variables(batches.gi_frame)
    size = variables["self"].batch_size
    waiting = issubclass(type(iterator), _MultiProcessingDataLoaderIter) and iterator._send_idx > iterator._rcvd_idx
    order = variables.get("sampler_iter")
    if type(order) is type(iter(range(0))):
        ahead = operator.length_hint(order)
        whole: Any = order.__reduce__()[1][0]
        return waiting or ahead > 0, whole.stop
    if type(order) is GeneratorType and order.gi_code is RandomSampler.__iter__.__code__ and order.gi_frame is not None:
        samples = frames.local_variables(order.gi_frame).get("n", 0)
        return samples > size, samples
    return False, 0


def _weakly(value: Any) -> Any:
    try:
        return weakref.ref(value) if value is not None else None
    except TypeError:
        return None
