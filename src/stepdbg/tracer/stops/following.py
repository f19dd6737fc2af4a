"""Which thread of which process is debugged: the one that trains.

At first that is the thread which has imported torch. Many programs train in another (a server, a notebook, an
executor): the first thread in which training shows takes its place, as long as the one that is followed has not trained
itself, or has ended. What further threads train is beside it (`objects/other_threads.py`).

A forked child inherits what belongs to its parent: the socket and the shared page, which are let go of at once. Most
forked children prepare batches and never train: they stay silent, and nothing of theirs is sent. One in which training
shows connects anew, and is a rank of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from stepdbg.tracer.introspect.layout import in_training
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.nonfinite.producers import replay
from stepdbg.tracer.session.connection import HubLost
from stepdbg.tracer.stops.callers import PhaseOwner

if TYPE_CHECKING:
    from stepdbg.tracer.objects.registry import Registry
    from stepdbg.tracer.phases.tracker import PhaseTracker
    from stepdbg.tracer.session.losses import Losses
    from stepdbg.tracer.session.rank import Rank
    from stepdbg.tracer.sources.free_run import FreeRunLog

_PROOFS = ("backward", "step")
"""Phases that nothing but training has."""
_SIGNS = ("zero_grad", "forward", "unscale", "clip", *_PROOFS)
"""Phases by which training begins to show."""
_SILENT = ("data", "eval", "loss")
"""Phases that what only prepares batches, or evaluates, has as well."""


class Followed(Protocol):
    """The tracer, as far as it depends on the thread and the process that it is in."""

    muted: bool
    """True when nothing is to be made into boundaries any more."""
    driving: bool
    """True while a generator loop runs."""
    registry: Registry
    """What is alive."""
    free_run: FreeRunLog
    """The phases of a free run that are only noted."""
    tracker: PhaseTracker
    """The phase tracker; in a free run as it was some moments ago."""

    @property
    def thread(self) -> int:
        """The thread that trains."""

    def disarm(self) -> None:
        """Never stop or report again."""

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""


class Following:
    """The thread that is followed, and whether this process is one that trains."""

    def __init__(self, tracer: Followed, rank: Rank, losses: Losses) -> None:
        self._tracer = tracer
        self._rank, self._losses = rank, losses
        self.turn = RLock()
        """Held while a thread stands at a boundary: none takes its place meanwhile, and messages are sent whole."""
        self.unproven = False
        """True in a forked child that has not trained."""
        self.fetched: tuple[int, int, int] | None = None
        """The newest batch that a thread took which is not followed: which one, from when, to when (in ns)."""
        self._beside = False
        """True when another thread was seen to train beside this one, and the user is still to be told."""
        self.at_fork: list[Callable[[], None]] = []
        """What the sources do in a forked child: no call of the parent's is open there."""

    @property
    def undecided(self) -> bool:
        """Whether any thread may turn out to be the one that trains: none has so far, or that one has ended."""
        return not self._tracer.muted and not (self._is_alive() and self._has_been_in(_SIGNS))

    def moves_here(self, name: str) -> bool:
        """Whether the thread that calls this, which is not followed, is followed from now on.

        Args:
            name: The phase that it is about to begin.
        """
        tracer = self._tracer
        if tracer.muted or tracer.driving or name in _SILENT or torch._C._current_graph_task_id() != -1:
            return False  # (a thread of autograd's own belongs to a backward)
        if not self.turn.acquire(blocking=False):
            return False
        try:
            if self._is_alive() and (self._is_within() or self._has_been_in(_PROOFS if name in _PROOFS else _SIGNS)):
                self._beside = self._beside or name in _PROOFS
                return False
            tracer.free_run.begin_anew()
            tracer.registry.others.forget()
            self._beside = False
            if self.fetched is not None and self.fetched[0] == tracer.thread:
                phases = tracer.tracker
                phases.leave(phases.pass_by("data", None, self.fetched[1]), self.fetched[2])
            return True
        finally:
            self.turn.release()

    def say_beside(self) -> None:
        """Tell the user, once, if another thread was seen to train beside the one that is followed."""
        if self._beside and self._rank.page is not None:
            self._beside = False
            self._tracer.registry.others.say_so(seen=True)

    def stay_here(self) -> None:
        """The session has been entered in this thread, which is the one that is followed."""
        self._tracer.free_run.thread = get_ident()

    def _is_alive(self) -> bool:
        """Whether the thread that is followed has not ended."""
        return self._tracer.thread in sys._current_frames()

    def _is_within(self) -> bool:
        """Whether a call of the thread that is followed is open."""
        return self._tracer.free_run.open is not None or self._tracer.tracker.open is not None

    def _has_been_in(self, names: tuple[str, ...]) -> bool:
        """Whether the thread that is followed has been in any of these phases."""
        log, phases = self._tracer.free_run, self._tracer.tracker
        if phases.update > 1 or log.has_noted(names):
            return True
        known = (*phases.done, *phases.before, phases.open, phases.running)
        return any(phase is not None and phase.name in names for phase in known)

    def forked(self) -> None:
        """Let go of what is the parent's, in a child that has just been forked."""
        self.turn = RLock()
        if self._tracer.muted or replay.forking:  # what is forked to look at a call again writes nowhere, and ends
            self._tracer.disarm()
            return
        self.unproven = True
        self.fetched, self._beside = None, False
        self._rank.begin_anew()
        self._tracer.begin_anew()
        self._tracer.tracker.begin_anew()
        self._tracer.free_run.begin_anew()
        self._losses.begin_anew()
        for close in self.at_fork:
            close()

    def stays_silent(self, name: str, owner: PhaseOwner) -> bool:
        """Whether this process still has to show that it trains; once it does, it connects.

        Args:
            name: The phase that begins.
            owner: The model or optimizer whose call it is, where that is known.

        Raises:
            HubLost: this is a worker of a data loader.
        """
        if not self.unproven:
            return False
        worker = torch.utils.data.get_worker_info() is not None
        if not worker and (name in _SILENT or (name == "forward" and not _is_training(owner))):
            return True
        self.unproven = False
        if worker:
            raise HubLost("a worker of a data loader does not train")
        return False


def _is_training(owner: PhaseOwner) -> bool:
    """Whether the model called is in training mode, as far as is known."""
    model = owner() if owner is not None else None
    return in_training(model) if model is not None and is_a(model, nn.Module) else True
