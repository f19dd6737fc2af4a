"""“Did you mean”: the name that is nearest to one that is not there."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 5_000
"""Names that are compared."""
_LONGEST = 60
"""Characters of a name that an error repeats."""


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that is most like the word, whatever its case; empty where none is like it."""
    import difflib  # only where something is wrong

    known = {name.lower(): name for name, _ in zip(names, range(_MOST), strict=False)}
    found = difflib.get_close_matches(word.lower()[:200], known, n=1, cutoff=0.6)
    return known[found[0]] if found else ""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean backward?`, or nothing."""
    name = nearest(word, names)
    return f"; did you mean {name}?" if name else ""


def brief(word: str) -> str:
    """A name as an error repeats it: a very long one only at its ends."""
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST // 2]}...{word[-_LONGEST // 3 :]}"
