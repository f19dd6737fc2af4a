"""What a project says of its checks: the table `[tool.stepdbg.check]` of the nearest `pyproject.toml` that has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from stepdbg.errors import SettingsError, UsageError
from stepdbg.home.toml_files import read_toml
from stepdbg.listing.nearest import did_you_mean

_TABLE = "[tool.stepdbg.check]"
_LISTS = ("select", "ignore")
_KEYS = (*_LISTS, "updates")


class ProjectChecks(Struct, frozen=True):
    """What is said there; what is not said is as without it."""

    file: str = ""
    """The file; empty where there is none."""
    select: tuple[str, ...] = ()
    """The rules to run; empty for all."""
    ignore: tuple[str, ...] = ()
    """The rules not to run."""
    updates: int | None = None
    """The number of updates."""


def project_checks(folder: Path) -> ProjectChecks:
    """What the project says that a folder belongs to.

    Args:
        folder: where to look first; then in those above it.

    Raises:
        UsageError: the file is no TOML, or the table says something else than it can.
    """
    for file, table in _tables(folder):
        if table is not None:
            return _read(file, table)
    return ProjectChecks()


def _tables(folder: Path) -> Iterator[tuple[Path, Any]]:
    for one in (folder, *folder.parents):
        file = one / "pyproject.toml"
        try:
            whole: Any = read_toml(file)
        except SettingsError as error:
            raise UsageError(f"{file} is no TOML: {error}") from error
        for key in ("tool", "stepdbg", "check"):
            whole = whole.get(key) if isinstance(whole, dict) else None
        yield file, whole


def _read(file: Path, table: Any) -> ProjectChecks:
    if not isinstance(table, dict):
        raise UsageError(f"{file}: {_TABLE} has to be a table")
    for key, value in table.items():
        if key not in _KEYS:
            raise UsageError(
                f"{file}: {_TABLE} knows no {key!r}{did_you_mean(key, _KEYS)}; it knows {', '.join(_KEYS)}"
            )
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise UsageError(f'{file}: {key} of {_TABLE} has to be a list of rules: ["no-gradient"]')
        if key == "updates" and not (type(value) is int and value > 0):
            raise UsageError(f"{file}: updates of {_TABLE} has to be a number from 1 up")
    lists = {key: tuple(table.get(key, ())) for key in _LISTS}
    return ProjectChecks(str(file), lists["select"], lists["ignore"], table.get("updates"))
