"""What stepping into a phase asks of the tracer, and what the hooks of one way ask of stepping itself."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.stepping.orders import Describes


class Host(Protocol):
    """The tracer, as stepping into a phase knows it."""

    muted: bool
    """True when nothing is to be made into boundaries any more."""
    driving: bool
    """True while a generator loop runs: only its yields make boundaries."""
    registry: Registry
    """What is alive."""

    def stop_inside(self, inner: Describes, frame: FrameType | None, breakpoint: str = "") -> None:
        """Stop at an inner boundary, after a unit of a phase or for a breakpoint."""

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


class NamedUnit(Protocol):
    """A unit that breakpoints name."""

    @property
    def ref(self) -> weakref.ref[Any]:
        """The module or the parameter."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def hidden(self) -> bool:
        """Whether it lies in what `torch.compile` has compiled, which is one call."""

    @property
    def points(self) -> tuple[m.Breakpoint, ...]:
        """The breakpoints that name it."""


class NamedUnits(Protocol):
    """The units within phases that breakpoints name."""

    def any_in(self, phase: str) -> bool:
        """Whether a phase of that name may hold any."""

    def modules(self, phase: str) -> Mapping[int, NamedUnit]:
        """The modules named, in that phase, by `id`."""

    def parameters(self) -> Mapping[int, NamedUnit]:
        """The parameters whose gradients are named, by `id`."""

    def met(self, unit: NamedUnit, phase: Phase, frame: FrameType | None, *, ahead: bool) -> str:
        """Why training stops before (`ahead`) or after that unit, in words; empty where it does not."""


class Inside(Protocol):
    """The phase that is stepped into, as the hooks in it know it."""

    made: dict[int, str]
    """The module whose output a node of the graph has made, by its sequence number."""
    phase: Phase | None
    """The phase whose inside is hooked."""

    points: NamedUnits
    """The units that breakpoints name."""

    @property
    def host(self) -> Host:
        """The tracer."""

    @property
    def stepping(self) -> bool:
        """Whether training stops after every unit, and not only at those that breakpoints name."""

    def stepped_by(self, order: m.Go) -> bool:
        """Whether that is the order, and the phase goes on being looked into."""

    def sees(self) -> bool:
        """Whether what happens now, in this thread, is something that one can stop after."""

    def stop(
        self, unit: m.Unit, name: str, describe: Describes, frame: FrameType | None, named: NamedUnit | None = None
    ) -> None:
        """Stop after that unit, if units are stepped by or a breakpoint is met there."""

    def comes_to(self, named: NamedUnit, describe: Describes, frame: FrameType | None) -> None:
        """Stop before that unit, if a breakpoint is met there."""

    def passed_compiled(self, named: Sequence[str] = ()) -> None:
        """A compiled module was called, inside which there is nothing to stop at, be it that breakpoints name it."""
