"""“Did you mean”: the name that is nearest to one that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

_MOST = 5_000
"""Names that are compared."""
_LONGEST = 60
"""Characters of a name that an error repeats."""


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that is most like the word, whatever its case; empty where none is like it.

    Of a dotted word with wildcards the nearest is one with the same wildcards that fits some of the names.
    """
    if _is_wild(word):
        return _nearest_pattern(word, [name for name, _ in zip(names, range(_MOST), strict=False)])
    import difflib  # only where something is wrong

    known = {name.lower(): name for name, _ in zip(names, range(_MOST), strict=False)}
    found = difflib.get_close_matches(word.lower()[:200], known, n=1, cutoff=0.6)
    return known[found[0]] if found else ""


def _nearest_pattern(pattern: str, names: list[str]) -> str:
    """The pattern with each part between its dots that no name has there replaced by the one most like it."""
    split, parts = [name.split(".") for name in names], list[str]()
    for part in pattern.split("."):
        at = len(parts)
        split = [name for name in split if len(name) > at]
        there = {name[at] for name in split}
        if not _is_wild(part) and part not in there:
            part = nearest(part, sorted(there))
        split = [name for name in split if name[at] == part or (_is_wild(part) and fnmatchcase(name[at], part))]
        if not split:
            return ""
        parts.append(part)
    found = ".".join(parts)
    return found if found != pattern else ""


def _is_wild(word: str) -> bool:
    """Whether a word stands for several names. (The brackets of `nets[0]` are meant as they stand.)"""
    return "*" in word or "?" in word


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean backward?`, or nothing."""
    name = nearest(word, names)
    return f"; did you mean {name}?" if name else ""


def brief(word: str) -> str:
    """A name as an error repeats it: a very long one only at its ends."""
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST // 2]}...{word[-_LONGEST // 3 :]}"
