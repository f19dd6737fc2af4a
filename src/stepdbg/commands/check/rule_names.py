"""The names of the rules, read from the files of their folder: without torch, which the rules themselves import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import stepdbg
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import did_you_mean

PROBES = {"sample-leak": "--probe", "loss-not-decreasing": "--overfit-batch"}
"""The rules that call the script's own model again, each with the option that asks for it."""
_FOLDER = Path(stepdbg.__file__).parent / "tracer" / "checks" / "rules"


def rule_names() -> tuple[str, ...]:
    """All of them but the active probes, in the order of the alphabet."""
    files = (file.stem for file in _FOLDER.glob("*.py") if file.stem != "__init__")
    return tuple(sorted({name.replace("_", "-") for name in files} - PROBES.keys()))


def chosen_rules(
    select: Sequence[str], ignore: Sequence[str], file: str = "", probes: Sequence[str] = ()
) -> tuple[str, ...]:
    """The rules to run.

    Args:
        select: Those and no others; empty for all but the active probes.
        ignore: Those not.
        file: The file that says some of it; empty for none.
        probes: Active probes to run beside them.

    Raises:
        UsageError: one is called otherwise, or none is left.
    """
    names = rule_names()
    for name in (*select, *ignore):
        if name not in (known := (*names, *PROBES)):
            where = f" ({file})" if file else ""
            like = did_you_mean(name, known)
            raise UsageError(f"there is no rule {name!r}{where}{like or '; docs/rules lists them'}")
    asked = dict.fromkeys((*(select or names), *probes))
    found = tuple(name for name in asked if name not in ignore)
    if not found:
        raise UsageError("no rule is left to be checked")
    return found
