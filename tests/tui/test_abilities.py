"""Plain characters where the terminal has no others, by itself, and said."""

from __future__ import annotations

import pytest

from stepdbg.tui.settings.terminal_abilities import why_plain


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [
        ({}, "utf-8"),
        ({"LANG": "de_DE.UTF-8"}, "utf-8"),
        ({"LANG": "en_US.utf8@euro"}, "utf-8"),
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "en_US"}, "utf-8"),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, "utf-8"),
        ({"TERM": "xterm-256color", "LC_ALL": ""}, "UTF-8"),
    ],
)
def test_a_terminal_that_has_all_signs_gets_them(environment: dict[str, str], encoding: str) -> None:
    assert why_plain(environment, encoding) == ""


@pytest.mark.parametrize(
    ("environment", "encoding", "words"),
    [
        ({"LANG": "C"}, "utf-8", "LANG=C"),
        ({"LANG": "POSIX", "LC_CTYPE": "C.UTF-8"}, "utf-8", "LANG=POSIX"),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, "utf-8", "LC_ALL=C"),
        ({"LANG": "de_DE.ISO-8859-1"}, "utf-8", "ISO-8859-1"),
        ({"LC_CTYPE": "ja_JP.eucJP", "LANG": "C.UTF-8"}, "utf-8", "LC_CTYPE"),
        ({"LANG": "C.UTF-8"}, "latin-1", "latin-1"),
        ({}, "no such encoding", "no such encoding"),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, "utf-8", "console"),
    ],
)
def test_one_that_has_not_is_told_why_and_what_to_do(environment: dict[str, str], encoding: str, words: str) -> None:
    why = why_plain(environment, encoding)
    assert words in why
    assert "plain characters" in why
    assert "config.toml" in why
