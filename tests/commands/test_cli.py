"""The command line: what is understood, and what is refused in one line with status 2."""

from __future__ import annotations

import pytest

from stepdbg.cli import Request, RunOptions, main, parse
from stepdbg.commands import ls
from stepdbg.commands.ls import age, table
from stepdbg.errors import UsageError
from stepdbg.hub.card import Card
from stepdbg.hub.server import LINGER_SECONDS

UNDERSTOOD = {
    "train.py --lr 1 --help": Request("run", RunOptions(("train.py", "--lr", "1", "--help"))),
    "-m pkg.train -x": Request("run", RunOptions(("-m", "pkg.train", "-x"))),
    "--python py --break backward --break=step t.py": Request(
        "run", RunOptions(("t.py",), python="py", breakpoints=("backward", "step"))
    ),
    "--keep 40% t.py": Request("run", RunOptions(("t.py",), keep=40)),
    "--readonly --ascii t.py:loop": Request("run", RunOptions(("t.py:loop",), readonly=True, ascii_only=True)),
    "--fresh --no-hints t.py --fresh": Request("run", RunOptions(("t.py", "--fresh"), fresh=True, hints=False)),
    "--keys": Request("keys"),
    "run --headless t.py": Request("run", RunOptions(("t.py",), headless=True)),
    "run t.py": Request("run", RunOptions(("t.py",))),
    "trace -o f --updates 3 --effects --fingerprints --python py t.py -o x": Request(
        "trace",
        RunOptions(("t.py", "-o", "x"), python="py", output="f", updates=3, effects=True, fingerprints=True),
    ),
    "trace torchrun t.py": Request("trace", RunOptions(("torchrun", "t.py"))),
    "trace --help": Request("help", topic="trace"),
    "ls": Request("ls"),
    "attach": Request("attach"),
    "attach mnist-1a2b": Request("attach", session="mnist-1a2b"),
    "stop mnist-1a2b": Request("stop", session="mnist-1a2b"),
    "--version": Request("version"),
    "--help": Request("help"),
    "run --help": Request("help", topic="run"),
    "ls --help": Request("help", topic="ls"),
}


@pytest.mark.parametrize("line", UNDERSTOOD)
def test_a_command_line_is_understood(line: str) -> None:
    assert parse(line.split()) == UNDERSTOOD[line]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "run",
        "--break",
        "--nonsense t.py",
        "--keep much t.py",
        "--keep 100 t.py",
        "--readonly=yes t.py",
        "stop",
        "ls x",
        "attach a b",
        "stop --all",
        "trace",
        "trace -o",
        "trace --updates 0 t.py",
        "trace --updates many t.py",
        "trace --headless t.py",
        "--effects t.py",
    ],
)
def test_what_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line.split())


def test_a_refusal_is_one_line_on_stderr_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("stepdbg: ")
    assert printed.err.count("\n") == 1


def test_of_sessions_that_have_exited_it_is_said_how_long_they_are_kept_and_how_they_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for state, told in (("running", False), ("exited", True)):
        card = Card("mnist-1a2b", "python mnist.py", "/", 1, 1000.0, state)
        monkeypatch.setattr(ls, "living_sessions", lambda card=card: [card])
        assert ls.list_sessions() == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 2
        assert ("24 hours" in err and "stepdbg stop SESSION" in err) == told
    assert LINGER_SECONDS == 24 * 3600


def test_the_table_of_sessions_is_aligned() -> None:
    cards = [
        Card("mnist-1a2b", "python mnist.py", "/", 1, 1000.0, "paused"),
        Card("a-0000", "python a.py", "/", 2, 1090.0, "running"),
    ]
    assert table(cards, 1100.0).splitlines() == [
        "SESSION     STATE    AGE    TARGET",
        "mnist-1a2b  paused   1 min  python mnist.py",
        "a-0000      running  10 s   python a.py",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (2e5, "2 d")])
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text
