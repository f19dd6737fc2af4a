"""Which breakpoint is on an object of the Model panel: on a module's call, a gradient, or a value that is watched."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from stepdbg.protocol.breakpoint_text import is_gradient
from stepdbg.protocol.messages import Breakpoint

_OF_MODULES = ("forward", "eval")


def on_object(name: str, breakpoints: Iterable[Breakpoint]) -> Breakpoint | None:
    """The breakpoint on the object of that name, one that is switched on before others; None where none is."""
    found = [one for one in breakpoints if _is_on(one, name)]
    return next((one for one in found if one.enabled), found[0] if found else None)


def _is_on(point: Breakpoint, name: str) -> bool:
    if point.watch is not None:
        watched = point.watch.name
        return any(_fits(name + rest, watched) for rest in ("", ".grad")) or (
            watched.startswith(name) and watched[len(name) :].removeprefix(".grad").lstrip().startswith("[")
        )
    if is_gradient(point.phase, point.of) or point.phase in _OF_MODULES:
        return _fits(name, point.of)
    return False


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or ("*" in pattern and fnmatchcase(name, pattern))
