"""The user's settings: what they say holds, and each wrong line is named with its remedy and left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.theme import BUILTIN_THEMES

from stepdbg.tui.actions.action import ActionContext, applicable
from stepdbg.tui.actions.key_tables import settings_table
from stepdbg.tui.actions.registry import ACTIONS, BY_ID
from stepdbg.tui.settings.config import Config, configured, read_config
from stepdbg.tui.settings.keymap import coincide, key_named, remapped


def keys_of(config: Config, name: str) -> tuple[str, ...]:
    return next(action.keys for action in config.actions if action.id == name)


def test_every_setting_holds(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "light"\nascii = true\nhints = false\n[keys]\nnext = ["f8", ";"]\nhelp = "F1"\n')
    config = read_config(file, BUILTIN_THEMES)
    assert config.problems == ()
    assert (config.theme, config.ascii, config.hints) == ("textual-light", True, False)
    assert keys_of(config, "next") == ("f8", "semicolon")
    assert keys_of(config, "help") == ("f1",)
    assert keys_of(config, "quit") == BY_ID["quit"].keys


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert read_config(tmp_path / "config.toml", BUILTIN_THEMES) == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[keys]\nnxt = "n"', ("[keys]", "'nxt'", "did you mean 'next'?")),
        ('[keys]\nnext = "hyper+q"', ("next", "'hyper+q'", "write for example")),
        ('[keys]\nnext = "entr"', ("'entr'", "did you mean 'enter'?")),
        ('[keys]\nnext = "f"', ("next", "'f'", "finish", "choose another")),
        ("[keys]\nnext = []", ("next", "at least one")),
        ("[keys]\nnext = 3", ("next", "a string")),
        ("keys = 3", ("keys", "[keys]")),
        ('theme = "drak"', ("'drak'", "did you mean 'dark'?")),
        ('ascii = "yes"', ("ascii", "true")),
        ("hint = false", ("'hint'", "did you mean 'hints'?")),
        ("theme = light", ("line 1",)),
        ("[keys\n", ("line 1", "until that is mended")),
        ("a = 1\n\udcff", ("UTF-8", "line 2")),
    ],
)
def test_what_is_wrong_is_one_line_with_file_key_and_remedy(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    config = read_config(file, BUILTIN_THEMES)
    (problem,) = config.problems
    assert str(file) in problem
    assert "\n" not in problem
    assert all(word in problem for word in words), problem
    assert config.actions == ACTIONS


def test_one_wrong_line_leaves_the_others() -> None:
    config = configured({"theme": "ansi", "keys": {"next": "f", "zoom": "Z"}}, BUILTIN_THEMES)
    assert len(config.problems) == 1
    assert config.theme == "ansi-dark"
    assert keys_of(config, "zoom") == ("Z",)
    assert keys_of(config, "next") == BY_ID["next"].keys


def test_two_actions_may_swap_their_keys() -> None:
    actions, problems = remapped(ACTIONS, {"next": ("f",), "finish": ("n",)})
    assert problems == []
    assert {action.id: action.keys for action in actions}["next"] == ("f",)


def test_a_key_may_be_shared_where_the_actions_never_apply_together() -> None:
    assert not coincide(BY_ID["next"], BY_ID["pause"])
    assert not coincide(BY_ID["open"], BY_ID["switch"])
    assert coincide(BY_ID["next"], BY_ID["finish"])
    _, problems = remapped(ACTIONS, {"pause": ("n",)})
    assert problems == []


def test_the_registry_itself_has_no_key_for_two_actions_that_apply_together() -> None:
    for place, one in enumerate(ACTIONS):
        for other in ACTIONS[place + 1 :]:
            assert not set(one.keys) & set(other.keys) or not coincide(one, other), (one.id, other.id)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_key_of_the_registry_is_a_key(action) -> None:  # type: ignore[no-untyped-def]
    assert [key_named(key) for key in action.keys] == list(action.keys)


def test_the_table_that_keys_prints_is_a_valid_setting(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(settings_table())
    assert read_config(file, BUILTIN_THEMES) == Config()


def test_a_remapped_key_does_what_the_old_one_did_and_the_old_one_nothing() -> None:
    from tui.builders import at, stop_after

    actions = configured({"keys": {"next": "f8"}}, BUILTIN_THEMES).actions
    here = ActionContext(at(stop_after("loss")), "model", actions=actions)
    assert applicable("f8", here).id == "next"
    assert applicable("n", here) is None
