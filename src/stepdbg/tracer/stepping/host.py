"""What stepping into a phase asks of the tracer, and what the hooks of one way ask of stepping itself."""

from __future__ import annotations

from types import FrameType
from typing import Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.stepping.orders import Describes


class Host(Protocol):
    """The tracer, as stepping into a phase knows it."""

    quiet: bool
    """True when nothing is to be made into boundaries any more."""
    driving: bool
    """True while a generator loop runs: only its yields make boundaries."""
    registry: Registry
    """What is alive."""

    def stop_inside(self, inner: Describes, frame: FrameType | None) -> None:
        """Stop at the inner boundary after a unit of a phase."""

    def tell(self, text: str, severity: m.Severity = "information") -> None:
        """Tell the user something about the run."""

    def gave_up(self, error: Exception) -> None:
        """Something of ours has failed."""


class Ordered(Protocol):
    """How the user has said to go on."""

    @property
    def until(self) -> m.Go | None:
        """How far to go; None until the first order."""

    def settle(self) -> None:
        """See anew whether anything can make training stop."""


class Inside(Protocol):
    """The phase that is stepped into, as the hooks in it know it."""

    made: dict[int, str]
    """The module whose output a node of the graph has made, by its sequence number."""
    phase: Phase | None
    """The phase whose inside is hooked."""

    @property
    def host(self) -> Host:
        """The tracer."""

    def stepped_by(self, order: m.Go) -> bool:
        """Whether that is the order, and the phase goes on being looked into."""

    def sees(self) -> bool:
        """Whether what happens now, in this thread, is something that one can stop after."""

    def stop(self, unit: m.Unit, name: str, describe: Describes, frame: FrameType | None) -> None:
        """Stop after that unit."""

    def passed_compiled(self) -> None:
        """A compiled module was called, inside which there is nothing to stop at."""
