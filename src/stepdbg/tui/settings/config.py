"""The user's settings: `config.toml`, of which every wrong line is named and left out, and no other.

theme = "light"          # dark, light, ansi, or any of Textual's
ascii = true             # plain characters only
hints = false            # no guided first run

[keys]
next = ["space", "n"]    # an action by its id; `stepdbg --keys` lists them
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from msgspec import Struct

from stepdbg.errors import SettingsError
from stepdbg.home.toml_files import read_toml
from stepdbg.tui.actions.action import Action
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.settings.keymap import remapped

THEMES = {"dark": "textual-dark", "light": "textual-light", "ansi": "ansi-dark"}
"""Short names of the themes that every terminal can show one of; Textual's own names hold as well."""


class Config(Struct, frozen=True):
    """The settings in force."""

    actions: tuple[Action, ...] = ACTIONS
    """The registry, with the user's keys."""
    theme: str = ""
    """Textual's name of a theme; empty for its default."""
    ascii: bool | None = None
    """Whether to draw with plain characters only; None: where the terminal has no others."""
    hints: bool = True
    problems: tuple[str, ...] = ()
    """What is wrong with the file, a line each."""


def read_config(path: Path, themes: Collection[str]) -> Config:
    """The settings of that file; the defaults where there is none, or where it is broken."""
    try:
        document = read_toml(path)
    except SettingsError as error:
        return Config(problems=(f"{path}: {error}; nothing in it holds until that is mended",))
    except OSError as error:
        return Config(problems=(f"{path}: {error.strerror}; it is left out",))
    config = configured(document, themes)
    return Config(
        config.actions,
        config.theme,
        config.ascii,
        config.hints,
        tuple(f"{path}: {problem}" for problem in config.problems),
    )


def configured(document: dict[str, Any], themes: Collection[str]) -> Config:
    """The settings that a document says.

    Args:
        document: The file, parsed.
        themes: Textual's names of those that there are.
    """
    problems: list[str] = []
    theme = ""
    switches: dict[str, bool | None] = {"ascii": None, "hints": True}
    actions = ACTIONS
    for name, value in document.items():
        if name == "keys":
            wanted = _keys(value, problems)
            actions, wrong = remapped(ACTIONS, wanted)
            problems += [f"[keys] {problem}" for problem in wrong]
        elif name == "theme":
            theme = THEMES.get(str(value), str(value))
            if theme not in themes:
                near = difflib.get_close_matches(theme, [*THEMES, *themes], 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join([*THEMES, *sorted(themes)])}"
                problems.append(f"there is no theme {value!r}; {hint}")
                theme = ""
        elif name in switches:
            if isinstance(value, bool):
                switches[name] = value
            else:
                problems.append(f"{name} = {value!r} is neither true nor false; write `{name} = true`")
        else:
            near = difflib.get_close_matches(name, ["keys", "theme", *switches], 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "there are keys, theme, ascii and hints"
            problems.append(f"there is no setting {name!r}; {hint}")
    return Config(actions, theme, switches["ascii"], switches["hints"] is True, tuple(problems))


def _keys(value: object, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """The table of keys, as far as it is one."""
    if not isinstance(value, dict):
        problems.append('keys is no table; write `[keys]` on a line of its own, and below it `next = "space"`')
        return {}
    wanted = {}
    for name, keys in value.items():
        words = [keys] if isinstance(keys, str) else keys
        if isinstance(words, list) and all(isinstance(word, str) and word for word in words):
            wanted[name] = tuple(words)
        else:
            problems.append(f'[keys] {name}: a key is a string, or a list of strings; write `{name} = "n"`')
    return wanted
