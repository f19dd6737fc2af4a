"""What the cursor of a panel is on, for those who edit it or copy it."""

from __future__ import annotations

from typing import NamedTuple


class Editable(NamedTuple):
    """What `e` would edit: an object, one element of it or the whole, and how it reads now."""

    object: str
    element: tuple[int, ...] | None = None
    """The index of one element, or None for the whole."""
    sliceable: bool = True
    """Whether the object is a tensor, of which a slice can be edited."""
    frame: int | None = None
    """The place of the frame that `object` is a variable of, to be bound anew."""
    missing: bool = False
    """Whether the object is a gradient that is None, which an edit can make."""
    trained: bool = False
    """Whether the object is a parameter that gets a gradient."""


class Copied(NamedTuple):
    """Words for the clipboard, and what they are."""

    what: str
    words: str
