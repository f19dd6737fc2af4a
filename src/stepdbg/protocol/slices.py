"""Indices and slices of a tensor as Python writes them: `[10, 0]`, `[0, :8, ::2]`, `[..., -1]`.

Both sides read them: the screen to say which element a cell is, the training process to cut the tensor.
"""

from __future__ import annotations

import re

from stepdbg.errors import SliceError

Place = int | slice
_NUMBER = re.compile(r"[+-]?\d+\Z")


def read(text: str, shape: tuple[int, ...]) -> tuple[Place, ...]:
    """A place for each dimension: a number from 0, or a slice with start, stop and step filled in.

    Raises:
        SliceError: it is no such thing, or does not fit the shape.
    """
    words = text.strip()
    if words[:1] == "[" and words[-1:] == "]":
        words = words[1:-1]
    pieces = [piece.strip() for piece in words.split(",")] if words.strip() else []
    if pieces and not pieces[-1]:
        pieces.pop()
    if pieces.count("...") > 1:
        raise SliceError("there can be only one ...")
    if "..." in pieces:
        at = pieces.index("...")
        pieces[at : at + 1] = [":"] * (len(shape) - len(pieces) + 1)
    if len(pieces) > len(shape):
        raise SliceError(f"{len(pieces)} indices are too many: the tensor has {len(shape)} dimensions")
    pieces += [":"] * (len(shape) - len(pieces))
    return tuple(_place(piece, size, dim) for dim, (piece, size) in enumerate(zip(pieces, shape, strict=True)))


def whole(places: tuple[Place, ...], shape: tuple[int, ...]) -> bool:
    """Whether nothing is cut off."""
    return all(place == slice(0, size, 1) for place, size in zip(places, shape, strict=True))


def element(text: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The index of one element, if that is what it says; what is left out at its end is 0.

    Raises:
        SliceError: it does not fit the shape.
    """
    if ":" in text or "..." in text or not re.search(r"\d", text):
        return None
    given = [piece for piece in text.strip().strip("[]").split(",") if piece.strip()]
    return tuple(
        place if isinstance(place, int) else 0
        for place in read(", ".join([*given, *["0"] * (len(shape) - len(given))]), shape)
    )


def original(places: tuple[Place, ...], index: tuple[int, ...]) -> tuple[int, ...]:
    """The index in the whole tensor of an element of what was cut from it."""
    inner = iter(index)
    return tuple(place if isinstance(place, int) else place.start + next(inner, 0) * place.step for place in places)


def words(places: tuple[Place, ...], shape: tuple[int, ...]) -> str:
    """A slice in words, as short as Python lets it be written."""
    return f"[{', '.join(_words(place, size) for place, size in zip(places, shape, strict=True))}]"


def _place(piece: str, size: int, dim: int) -> Place:
    if _NUMBER.match(piece):
        number = int(piece)
        if not -size <= number < size:
            raise SliceError(f"index {number} lies outside of dimension {dim}, which has {size}")
        return number % size
    ends = piece.split(":")
    if not 2 <= len(ends) <= 3 or not all(not end.strip() or _NUMBER.match(end.strip()) for end in ends):
        raise SliceError(f"{piece!r} is no index and no slice; write for example [10, 0] or [0, :8, ::2]")
    start, stop, step = (int(end) if end.strip() else None for end in (*ends, "")[:3])
    if step is not None and step < 1:
        raise SliceError("torch takes no step below 1")
    first, last, by = slice(start, stop, step).indices(size)
    return slice(first, max(first, last), by)


def _words(place: Place, size: int) -> str:
    if isinstance(place, int):
        return str(place)
    start = str(place.start) if place.start else ""
    stop = str(place.stop) if place.stop != size else ""
    return f"{start}:{stop}" + (f":{place.step}" if place.step != 1 else "")
