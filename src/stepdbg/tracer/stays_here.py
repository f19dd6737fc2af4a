"""What of ours stays in this process when a script pickles its classes with all their functions.

cloudpickle (joblib, Ray, submitit) does so with classes of the main module, and our wrapper on such a class goes along.
What the wrapper refers to arrives as False, and there it calls through; stepdbg need not be installed.
"""

from __future__ import annotations

from typing import Any


class StaysHere:
    """A base of what wrappers on a script's classes refer to."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is False."""
        return bool, ()
