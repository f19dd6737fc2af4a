"""A line that is typed into a panel, key by key."""

from __future__ import annotations


def typed(line: str, key: str, character: str | None) -> str | None:
    """The line after a key; None where the key is none for a line.

    Args:
        line: What was typed before.
        key: As Textual names it.
        character: What it prints, if anything.
    """
    match key:
        case "backspace" | "ctrl+h":
            return line[:-1]
        case "ctrl+u":
            return ""
        case "ctrl+w":
            return line.rstrip().rpartition(" ")[0] + " " if " " in line.rstrip() else ""
    return line + character if character is not None and character.isprintable() else None
