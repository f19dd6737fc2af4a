"""The names that Python of the console sees: the frame's variables, read and written as they are, then the console's
own, then `model`, `optimizer`, `loss`, `batch`.

It is a dictionary that `exec` takes for its globals. CPython (3.11 to 3.14) reads a global through `__missing__` where
the dictionary is no plain one, also in functions and comprehensions; so a lambda sees the frame's variables, which it
would not as `locals` of `exec`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from stepdbg.tracer.introspect import live_variables
from stepdbg.tracer.python.variables import is_function, variables_of


class ConsoleNamespace(dict[str, Any]):
    """The names of one session's console. What it holds itself are the console's own variables."""

    def __init__(self) -> None:
        super().__init__(__builtins__=builtins)
        self.homeless: list[str] = []
        """What the last command has assigned for the first time, and the function has no room for."""
        self.remarks: list[str] = []
        """What else the user must know of it."""
        self._inside = False
        self._frame: FrameType | None = None
        """The frame, if it is a function's."""
        self._variables: dict[str, Any] = {}
        """The frame's: of a function as they were read, of a module the very dictionary."""
        self._module: dict[str, Any] = {}
        self._at_hand: Mapping[str, Callable[[], Any]] = {}

    def enter(self, frame: FrameType | None, at_hand: Mapping[str, Callable[[], Any]]) -> None:
        """See that frame, or `__main__` where there is none.

        Args:
            frame: The frame.
            at_hand: Further names; each is called for its value, and raises a `KeyError` where there is none.
        """
        self._inside, self._at_hand, self.homeless, self.remarks = True, at_hand, [], []
        self._frame = frame if is_function(frame) else None
        self._module = frame.f_globals if frame is not None else vars(sys.modules["__main__"])
        if self._frame is not None:
            self._variables = variables_of(frame)
        else:
            self._variables = frame.f_locals if frame is not None else self._module
        for name in [name for name in self if name in self._variables or name in self._module]:
            if name != "__builtins__":
                super().__delitem__(name)  # a variable of the frame with that name wins

    def note(self) -> str:
        """What the user must know of the last command."""
        names = list(dict.fromkeys(self.homeless))
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        are, s = ("is", "") if len(names) == 1 else ("are", "s")
        reserved = [f"{shown} {are} the console's own: the function has no such variable{s}"] if names else []
        return "; ".join([*dict.fromkeys(self.remarks), *reserved])

    def leave(self) -> None:
        """Hold nothing but the console's own variables. (Functions among them still see the module's.)"""
        self._inside, self._frame, self._variables, self._at_hand = False, None, {}, {}

    def names(self) -> Iterator[str]:
        """All names, the frame's own first."""
        yield from self._variables
        yield from self
        yield from self._at_hand
        yield from self._module
        yield from vars(builtins)

    def __missing__(self, name: str) -> Any:
        if name in self._variables:
            return self._variables[name]
        if name in self._module:
            return self._module[name]
        if name in self._at_hand:
            try:
                return self._at_hand[name]()
            except KeyError:
                self.remarks.append(f"there is no {name} at this stop")
                raise
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        if not self._inside:
            super().__setitem__(name, value)
        elif self._frame is None:
            self._variables[name] = value
        elif name in live_variables.names_of(self._frame.f_code):
            live_variables.assign(self._frame, name, value)
            self._variables[name] = value
        elif name in self._module:
            self._module[name] = value
        else:
            if name not in self:
                self.homeless.append(name)
            super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if self._frame is not None and name in self._variables:
            self.remarks.append(f"{name} is a variable of the function: Python cannot delete it from outside")
            raise NameError(name)
        if name in self:
            super().__delitem__(name)
        elif name in self._variables:
            del self._variables[name]
        else:
            del self._module[name]


def names_in(code: CodeType) -> frozenset[str]:
    """All names that a piece of code reads, those of functions in it among them."""
    inner = [names_in(one) for one in code.co_consts if isinstance(one, CodeType)]
    return frozenset(code.co_names).union(*inner)
