"""What would be gone before it is looked at: the models and optimizers of a function that ends with a step."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(slots=True)
class Named:
    """A model or an optimizer, and its name once it has been listed."""

    ref: weakref.ref[Any]
    name: str = ""
    steps: int = 0
    called: bool = False
    """Whether a call of the model was seen, in the thread that trains."""
    makeshift: bool = False
    """Whether the optimizer goes by its class, until a variable of the user's refers to it."""
    made: tuple[tuple[CodeType, int], ...] = ()
    """Where the optimizer was made: the user's functions that ran, innermost first, and where each was."""


class KeptAlive:
    """Keeps models and optimizers alive from one look to the next, and no longer: what a script has let go of is let go
    of here.
    """

    def __init__(self) -> None:
        self._things: list[Any] = []

    def keep(self, named: Iterable[Named]) -> None:
        """Keep what is alive, until the next look at least."""
        self._things = [thing for entry in named if (thing := entry.ref()) is not None]

    def forget(self) -> None:
        """Keep nothing: nobody looks."""
        self._things = []

    def let_go(self, named: Iterable[Named]) -> bool:
        """Keep nothing that nobody else holds; whether something was gone then.

        What is named after one that is gone (`optimizer_2`) gets its name anew: the variable is its own now.

        Args:
            named: All that are known.
        """
        known = [entry for entry in named if entry.ref() is not None]
        self._things = []
        gone = [entry.name for entry in known if entry.ref() is None]
        for entry in known:
            if entry.name.rpartition("_")[2].isdigit() and entry.name.rpartition("_")[0] in gone:
                entry.name = ""
        self.keep(known)
        return bool(gone)
