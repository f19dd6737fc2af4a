"""data: the next batch of a loader that feeds training, and which loaders do."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, dataloader

from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.patching.wrap import wrap
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.sources.epoch_loop import Round, round_of
from stepdbg.tracer.sources.forward import Models
from stepdbg.tracer.sources.wrapping import leave

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink


_LAST = 8
"""The number of readings that are remembered."""


@dataclass(slots=True, eq=False)
class Source:
    """A loader, or a data set that several loaders read."""

    epochs: int = 0
    feeds: bool | None = None
    """Whether training takes its batches; None while that is not known. False of a loader only: what one evaluates on,
    another may train on.
    """


@dataclass(slots=True, eq=False)
class Reading:
    """An iteration over a loader, from its first batch to its last."""

    loader: Source
    dataset: Source
    counted: bool = False
    """Whether it counts as an epoch: training has taken a batch of it, as far as is known."""
    learned: bool = False
    """Whether a backward came after a model was called with a batch of it."""
    nodes: int = field(default_factory=torch._C._autograd._get_sequence_nr)
    """The number of graph nodes that its thread had made when it began."""

    @property
    def idle(self) -> bool:
        """Whether nothing was computed since that could be learned from: the batches were only looked at."""
        return torch._C._autograd._get_sequence_nr() == self.nodes

    def count(self) -> None:
        """Training takes a batch."""
        if not self.counted:
            self.counted = True
            for source in {self.loader, self.dataset}:
                source.epochs += 1

    def discount(self) -> None:
        """The batch taken last counts for no epoch of training: an evaluation took it."""
        if self.counted:
            self.counted = False
            for source in {self.loader, self.dataset}:
                source.epochs -= 1


class DataLoaders:
    """Every `DataLoader` that is iterated over."""

    def __init__(self, tracer: Sink, models: Models) -> None:
        self._tracer = tracer
        self._models = models
        self._sources: dict[int, tuple[weakref.ref[Any], Source]] = {}
        """Loaders and data sets by `id`: a user's data set may be one that cannot be hashed."""
        self._read: weakref.WeakKeyDictionary[Any, Reading] = weakref.WeakKeyDictionary()
        """What each iterator reads."""
        self._since: list[Reading] = []
        """What the model that is called next is likely to get."""
        self._idle: list[Reading] = []
        """What was read to its end with nothing learned from it, and no model called since."""
        self._awaiting: list[Reading] = []
        """What a model was called with that has not been learned from yet: that shows in a backward."""
        self._last: list[tuple[Reading, Round]] = []
        """What training has begun to read last, as far as was known, in a loop over epochs."""
        self._taken = False
        """True once a model has been called with it."""
        self._provisional: Phase | None = None
        """The newest data phase, where it is not known whether it feeds training."""

    def install(self) -> None:
        """Hook them."""
        wrap(DataLoader, "__iter__", self._iter)
        wrap(dataloader._BaseDataLoaderIter, "__next__", self._next)

    def _iter(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def __iter__(self: Any) -> Any:
            try:
                iterator = original(self)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            try:
                if tracer.listening() or tracer.following.undecided:
                    hooks._models.on_forward = hooks._fed
                    if tracer.registry.newest.fetching.on:
                        tracer.registry.newest.fetching.begins(iterator, sys._getframe(1))
                    hooks._read[iterator] = Reading(hooks._source(self), hooks._source(getattr(self, "dataset", self)))
            except Exception as error:
                tracer.gave_up(error)
            return iterator

        return __iter__

    def _next(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def __next__(self: Any) -> Any:
            phase = None
            training = mine = False
            began = 0
            try:
                mine = tracer.listening()
                began = monotonic_ns() if not mine else 0
                training = torch.is_grad_enabled() and (mine or tracer.following.undecided) and hooks._feeds(self)
                if training and mine and tracer.admits("data"):
                    phase = tracer.begin("data")
                    if hooks._in_doubt(self):
                        phase = tracer.as_made(phase)
            except Exception as error:
                tracer.gave_up(error)
            try:
                batch = original(self)
            except BaseException as error:
                if issubclass(type(error), StopIteration):
                    hooks._over(self, phase)
                    phase = None
                leave(tracer, phase, error)
                raise
            try:
                if training:
                    with unseen():
                        tracer.registry.newest.note("batch", batch)
                        tracer.checks.fetched = weakref.ref(self) if tracer.checks.on else None
                        if tracer.registry.newest.fetching.on:
                            tracer.registry.newest.fetching.came(self)
                    if not mine:
                        tracer.following.fetched = get_ident(), began, monotonic_ns()
                    if phase is not None:
                        tracer.end(phase)
                        hooks._provisional = phase
            except Exception as error:
                tracer.gave_up(error)
            return batch

        return __next__

    def _over(self, iterator: Any, phase: Phase | None) -> None:
        """Note that an iterator has no batch left: what has begun as its next data phase was none."""
        tracer = self._tracer
        try:
            if tracer.registry.newest.fetching.on:
                tracer.registry.newest.fetching.over(iterator)
            over = self._read.get(iterator)
            self._since = [read for read in self._since if read is not over]
            idle = over is not None and over.counted and over.idle
            if over is not None and idle:
                self._idle.append(over)
            if over is not None and over.loader.feeds:  # with the epoch's last batch ends what could be learned from it
                tracer.tracker.pending_backward = False
            if phase is not None:
                made = tracer.as_made(phase)
                made.over = _epochs(over) if over is not None and over.counted and not idle else 0
                tracer.phases.take_back(made)
                tracer.end(phase)
        except Exception as error:
            tracer.gave_up(error)

    def _source(self, of: Any) -> Source:
        known = self._sources.get(id(of))
        if known is not None and known[0]() is of:
            return known[1]
        source = Source()
        try:
            reference = weakref.ref(of, functools.partial(self._forget, id(of)))
        except TypeError:  # a list of samples: known by its loader alone
            return source
        self._sources[id(of)] = (reference, source)
        return source

    def _forget(self, key: int, _: Any) -> None:
        self._sources.pop(key, None)

    def _feeds(self, iterator: Any) -> bool:
        """Whether that iterator's loader feeds training, as far as is known; if so, it gives the epoch."""
        read = self._read.get(iterator)
        if read is None:
            return True
        loader, dataset = read.loader, read.dataset
        if self._awaiting:
            self._learned()
        if self._taken:
            self._taken = False
            self._since.clear()
        if read not in self._since:
            self._since.append(read)
        known = loader.feeds if loader.feeds is not None else dataset.feeds
        if known is None:
            # a second loader is taken for one of evaluation until training is seen to use its batches
            others = any(source.feeds for _, source in self._sources.values())
            known = not self._models.evaluating and not others and not self._tracer.rounds.over(sys._getframe(1))
        elif known and loader.feeds is None:
            # another loader over the data that training uses
            known = not self._models.evaluating and not self._tracer.rounds.over(sys._getframe(1))
        if known:
            for earlier in self._since:  # a look at a batch before training is no epoch
                if earlier is not read and earlier.loader is loader and earlier.counted:
                    earlier.discount()
            for earlier in self._awaiting:  # one with which a model was only tried
                same = earlier.loader is loader or earlier.dataset is dataset
                if same and earlier is not read and not earlier.learned:
                    earlier.discount()
            if self._idle:
                for earlier in self._idle:  # nor is one at all of them: the mean of the data, a vocabulary
                    if earlier.loader is loader or earlier.dataset is dataset:
                        earlier.discount()
                self._idle = []
            if not read.counted:
                self._go_on(read)
                read.count()
            self._tell(read)
        return known

    def _go_on(self, read: Reading) -> None:
        """A new loader over new data goes on with the count in a loop over epochs."""
        now = round_of(sys._getframe(2))
        if now is None:
            return
        for last, then in reversed(self._last):
            if last.counted:
                since = now.since(then)
                if since in (0, 1) and not (read.loader.epochs or read.dataset.epochs):
                    read.loader.epochs = _epochs(last) - 1 + since
                break
        self._last = [*self._last[-_LAST:], (read, now)]

    def _tell(self, read: Reading) -> None:
        """The epoch is that of what training reads."""
        epochs, tracer = _epochs(read), self._tracer
        if (epochs or None) != tracer.tracker.epoch:
            phases = tracer.phases if tracer.listening() else tracer.tracker  # what was noted began in the epoch before
            phases.epoch = epochs or None

    def _learned(self) -> None:
        """Learn which loader feeds training: that of what a model was called with before a backward came."""
        if not self._tracer.tracker.pending_backward:
            for read in self._awaiting:
                read.loader.feeds = read.dataset.feeds = read.learned = True
            self._awaiting = []

    def _in_doubt(self, iterator: Any) -> bool:
        """Whether it may still turn out that the loader does not feed training."""
        read = self._read.get(iterator)
        return read is not None and read.loader.feeds is None

    def _fed(self, training: bool) -> None:
        """A model is called, with gradients or without: it is likely to get what was read last."""
        provisional, self._provisional = self._provisional, None
        if self._idle:
            self._idle = []
        if not self._since:
            return
        self._taken = True
        if self._awaiting:
            self._learned()
        if training:
            self._awaiting = [*self._since]
        else:
            for read in self._since:
                if read.loader.feeds is None and read not in self._awaiting:
                    read.loader.feeds = False
                    if read.counted:
                        read.discount()
                        self._tell(read)
                    if provisional is not None and self._tracer.phases.last is provisional:
                        provisional.epoch = self._tracer.phases.epoch
                        self._tracer.phases.take_back(provisional)


def _epochs(read: Reading) -> int:
    """How often training has read what that iterator reads, this time among them."""
    loader, dataset = read.loader, read.dataset
    return max(loader.epochs, dataset.epochs if loader.epochs == 1 else 0)
