"""The registry as tables: for the README, and for the settings."""

from __future__ import annotations

from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.actions.registry import ACTIONS


def markdown_table() -> str:
    """The keys as a table for the README."""
    rows = ["| key | does |", "| --- | --- |"]
    for action in ACTIONS:
        keys = ", ".join(f"`{key_name(key)}`" for key in action.keys)
        rows.append(f"| {keys} | {action.help} |")
    return "\n".join(rows) + "\n"


def settings_table() -> str:
    """Every action as a line of the settings, with what it does."""
    lines = [f"{action.id} = [{', '.join(f'{key!r}' for key in map(key_name, action.keys))}]" for action in ACTIONS]
    width = max(map(len, lines)) + 2
    told = zip(lines, ACTIONS, strict=True)
    return "\n".join(["[keys]", *(f"{line:<{width}}# {action.help}" for line, action in told)]) + "\n"
