"""All watchpoints of this process, looked at together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.watchpoints.names import everything
from stepdbg.tracer.watchpoints.stillness import still
from stepdbg.tracer.watchpoints.watchpoint import Watchpoint


class Watchpoints:
    """The watchpoints that are switched on, by the number of their breakpoint.

    Args:
        registry: Knows what is alive.
        find: Looks for the names of models and optimizers that have none yet, as seen from a frame.
    """

    def __init__(self, registry: Registry, find: Callable[[FrameType | None], None]) -> None:
        self._registry, self._find = registry, find
        self._all: dict[int, Watchpoint] = {}
        self.any = False
        """Whether there is any."""
        self.quick = False
        """Whether it can be told quickly that nothing watched has changed."""
        self._found = False
        """Whether any has come to something since that was told last."""
        self.news: list[tuple[int, bool]] = []
        """The numbers of those whose name leads to nothing, as far as is known by now, or to something after all."""
        self._unknown: set[int] = set()

    def hold(self, points: Iterable[Breakpoint]) -> None:
        """Those of these breakpoints that watch a value hold from now on; those that held before go on."""
        before, self._all = self._all, {}
        for point in points:
            if point.watch is None or not point.enabled:
                continue
            known = before.get(point.number)
            goes_on = known is not None and known.watched == point.watch
            self._all[point.number] = known if known is not None and goes_on else self.anew(point)
        self.any = bool(self._all)
        self.quick = False

    def anew(self, point: Breakpoint) -> Watchpoint:
        """The watchpoint of a breakpoint, with nothing looked at yet."""
        assert point.watch is not None
        return Watchpoint(point.watch, self._registry, self._find)

    def all_names(self) -> list[str]:
        """All names of what models and optimizers hold."""
        return [name for name, _ in everything(self._registry)]

    def name_of(self, number: int) -> str:
        """What the breakpoint of that number watches, as it is written; empty where there is none by now."""
        return self._all[number].watched.name if number in self._all else ""

    def of(self, number: int) -> Watchpoint | None:
        """The watchpoint of the breakpoint of that number; None where that watches nothing, or is switched off."""
        return self._all.get(number)

    def look(self, frame: FrameType | None, update: int, where: Callable[[], str]) -> None:
        """See how everything watched is now, with what has been done since in words; not while a graph is captured."""
        if devices.capturing():
            return
        with unseen():
            for number, one in self._all.items():
                one.look(frame, update, where)
                if one.is_unknown != (number in self._unknown):
                    self._unknown ^= {number}
                    self.news.append((number, not one.is_unknown))
                self._found = self._found or one.pending

    def keep(self, frame: FrameType | None, update: int) -> None:
        """Training goes on from here: how everything watched is now is what later changes are told from."""
        if devices.capturing():
            return
        with unseen():
            for one in self._all.values():
                one.look(frame, update, lambda: "where it was looked at first", by_user=True)

    def quickly(self) -> Callable[[], bool] | None:
        """A function that tells whether everything watched is as it was when it was looked at last, in a few
        microseconds; None where that takes more: patterns, variables, states, what is large or on a device.
        """
        self.quick, self._found = False, False
        found = [one.kept() for one in self._all.values()]
        if any(kept is None for kept in found):
            return None
        self.quick, same = True, still([one for kept in found if kept is not None for one in kept])
        return lambda: not self._found and same()

    def may_stop(self, update: int) -> bool:
        """Whether training may stop at the boundary that comes: something has been found, or an update may end in which
        a value has stayed for as long as is waited for.
        """
        return any(one.pending or one.may_stay(update) for one in self._all.values())

    def ends(self, update: int) -> None:
        """That update has ended."""
        for one in self._all.values():
            one.ends(update)
