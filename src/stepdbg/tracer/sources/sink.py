"""What sources call: where they say that a phase begins and has ended, and what they note on the way."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import FrameType
from typing import Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.breakpoints.closures import Closures
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.rounds import Rounds
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.sources.free_run import FreeRunLog
from stepdbg.tracer.sources.listeners import Listeners


class Follows(Protocol):
    """Which thread is followed, as far as sources ask."""

    fetched: tuple[int, int, int] | None
    """The newest batch that a thread took which is not followed: which one, from when, to when (in ns)."""
    at_fork: list[Callable[[], None]]
    """What the sources do in a forked child."""

    @property
    def undecided(self) -> bool:
        """Whether any thread may turn out to be the one that trains."""

    def moves_here(self, name: str) -> bool:
        """Whether the thread that calls this is followed from now on, since it is about to begin that phase."""


class Sink(Protocol):
    """The tracer, as sources know it."""

    muted: bool
    """True when nothing is to be made into boundaries any more."""
    driving: bool
    """True while a generator loop runs: only its yields make boundaries."""
    listeners: Listeners
    """Who of the sources is told of what."""
    tracker: PhaseTracker
    """The phase tracker; in a free run as it was some moments ago."""
    registry: Registry
    """What is alive."""
    gradient_scaling: GradientScaling
    """What has been done to the gradients since backward."""
    checks: Checks
    """What is looked at for the first bad value."""
    closures: Closures
    """The closures that a step has been called with."""
    free_run: FreeRunLog
    """The phases of a free run that are only noted."""
    rounds: Rounds
    """The rounds of the user's own loops."""
    losses: Losses
    """The losses, for the chart."""
    give_back: Callable[[], None]
    """Called where training has found no memory on a device."""

    @property
    def phases(self) -> PhaseTracker:
        """The phase tracker, up to now."""

    @property
    def following(self) -> Follows:
        """Which thread is followed."""

    @property
    def thread(self) -> int:
        """The thread that trains."""

    def listening(self) -> bool:
        """Whether a call in this thread can make boundaries."""

    def admits(self, name: str) -> bool:
        """Whether a call of that phase makes a boundary here."""

    def trains_here(self, name: str) -> bool:
        """Whether a call of that phase in this thread is one of training that is debugged."""

    def begin(
        self,
        name: str,
        optimizer: Hashable = None,
        call: bool = True,
        in_order: bool = True,
        silent: bool = False,
        *,
        predicted: bool = False,
        returning: bool = False,
        at: FrameType | None = None,
        tell: Callable[[int], object] | None = None,
    ) -> Phase:
        """Stand at the boundary before that phase, stop there if need be, and begin it."""

    def end(self, phase: Phase) -> None:
        """The call of that phase has returned."""

    def ended(self, phase: Phase) -> None:
        """`end`, where nothing that fails in it may reach the script."""

    def as_made(self, phase: Phase) -> Phase:
        """The phase, whose call is open, as the phase tracker has it."""

    def broke(self, phase: Phase) -> None:
        """An exception has left that phase."""

    def passes(self, error: BaseException, frame: FrameType | None, phase: Phase | None) -> None:
        """An exception has left a hooked call, which was that phase or none, and comes to that frame next."""

    def close(self, phase: Phase) -> None:
        """The generator loop has ended, and with it its last phase."""

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at, or made."""

    def disarm(self) -> None:
        """Never stop or report again."""

    def tell(self, text: str, severity: m.Severity = "information") -> None:
        """Tell the user something about the run."""
