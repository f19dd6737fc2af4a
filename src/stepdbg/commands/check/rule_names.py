"""The names of the rules, read from the files of their folder: without torch, which the rules themselves import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import stepdbg
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import did_you_mean

_FOLDER = Path(stepdbg.__file__).parent / "tracer" / "checks" / "rules"


def rule_names() -> tuple[str, ...]:
    """All of them, in the order of the alphabet."""
    files = (file.stem for file in _FOLDER.glob("*.py") if file.stem != "__init__")
    return tuple(sorted(name.replace("_", "-") for name in files))


def chosen_rules(select: Sequence[str], ignore: Sequence[str], file: str = "") -> tuple[str, ...]:
    """The rules to run.

    Args:
        select: Those and no others; empty for all.
        ignore: Those not.
        file: The file that says some of it; empty for none.

    Raises:
        UsageError: one is called otherwise, or none is left.
    """
    names = rule_names()
    for name in (*select, *ignore):
        if name not in names:
            where = f" ({file})" if file else ""
            like = did_you_mean(name, names)
            raise UsageError(f"there is no rule {name!r}{where}{like or '; docs/rules lists them'}")
    found = tuple(name for name in (select or names) if name not in ignore)
    if not found:
        raise UsageError("no rule is left to be checked")
    return found
