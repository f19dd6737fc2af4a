"""The command line: what is understood, and what is refused in one line with status 2."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stepdbg.cli import main
from stepdbg.commands import ls
from stepdbg.commands.breakpoints import read_breakpoints
from stepdbg.commands.command_line.parse import Request, RunOptions, parse
from stepdbg.commands.command_line.usage import SYNOPSES, usage
from stepdbg.commands.ls import age, table
from stepdbg.commands.printing import put
from stepdbg.commands.target import Target
from stepdbg.errors import UsageError
from stepdbg.hub.process.server import LINGER_SECONDS
from stepdbg.hub.process.session_file import SessionFile

UNDERSTOOD = {
    "train.py --lr 1 --help": Request("run", RunOptions(("train.py", "--lr", "1", "--help"))),
    "-m pkg.train -x": Request("run", RunOptions(("-m", "pkg.train", "-x"))),
    "--python py --break backward --break=step t.py": Request(
        "run", RunOptions(("t.py",), python="py", breakpoints=("backward", "step"))
    ),
    "--stop-on nan -b step t.py": Request("run", RunOptions(("t.py",), breakpoints=("nan", "step"))),
    "--stop-on finding,nan t.py": Request("run", RunOptions(("t.py",), breakpoints=("nan", "finding"))),
    "--stop-on=NaN,never t.py": Request("run", RunOptions(("t.py",), breakpoints=("nan",), exceptions=False)),
    "run --headless --stop-on exception t.py": Request("run", RunOptions(("t.py",), headless=True)),
    "--keep 40% t.py": Request("run", RunOptions(("t.py",), keep=40)),
    "--async-conditions t.py": Request("run", RunOptions(("t.py",), async_conditions=True)),
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
        session_file = SessionFile("mnist-1a2b", "python mnist.py", "/", 1, 1000.0, state)
        monkeypatch.setattr(ls, "living_sessions", lambda session_file=session_file: [session_file])
        assert ls.list_sessions() == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 2
        assert ("24 hours" in err and "stepdbg stop SESSION" in err) == told
    assert LINGER_SECONDS == 24 * 3600


def test_the_table_of_sessions_is_aligned() -> None:
    cards = [
        SessionFile("mnist-1a2b", "python mnist.py", "/", 1, 1000.0, "paused"),
        SessionFile("a-0000", "python a.py", "/", 2, 1090.0, "running"),
    ]
    assert table(cards, 1100.0).splitlines() == [
        "SESSION     STATE    AGE    TARGET",
        "mnist-1a2b  paused   1 min  python mnist.py",
        "a-0000      running  10 s   python a.py",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (2e5, "2 d")])
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--brake backward t.py", "did you mean --break?"),
        ("--stop-on nam t.py", "did you mean nan?"),
        ("--stop-on exception,never t.py", "give one of the two"),
        ("-b nan --stop-on", "--stop-on needs a value"),
        ("trace --efects t.py", "did you mean --effects?"),
        ("attach --asci", "did you mean --ascii?"),
        ("trace --break x t.py", "usage: stepdbg trace"),
        ("--effects t.py", "stepdbg trace [-o FILE]"),
        ("trace", "usage: stepdbg trace [-o FILE] [OPTIONS] TARGET..."),
        ("run", "usage: stepdbg run --headless [OPTIONS] TARGET..."),
        ("stop", "usage: stepdbg stop SESSION"),
        ("attach a b", "usage: stepdbg attach"),
        ("trace -o", "usage: stepdbg trace"),
        ("run --", "usage: stepdbg run"),
    ],
)
def test_a_refusal_says_what_was_meant_or_how_the_command_is_written(line: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line.split())
    assert told in str(refused.value)


@pytest.mark.parametrize("line", ["-- t.py -x", "run -- t.py -x", "--fresh -- t.py -x", "trace -- t.py -x"])
def test_two_dashes_may_stand_before_the_target(line: str) -> None:
    assert parse(line.split()).options.target == ("t.py", "-x")


@pytest.mark.parametrize("before", [["--readonly"], ["run", "--headless"], ["trace", "-o", "f"]])
def test_the_demo_that_comes_with_stepdbg_is_a_target_like_any_other(before: list[str]) -> None:
    script, *arguments = parse([*before, "--demo", "--updates", "3"]).options.target
    assert Path(script).name == "mnist.py"
    assert Path(script).is_file()
    assert arguments == ["--updates", "3"]


def test_an_option_that_has_taken_the_script_for_its_value_is_named() -> None:
    with pytest.raises(UsageError, match=r"no TARGET is given; -b has taken train\.py for its value; usage"):
        parse(["--fresh", "-b", "train.py"])


def test_options_may_stand_after_the_demo_unless_they_are_its_own() -> None:
    options = parse(["--demo", "-b", "step", "--stop-on=nan", "--epochs", "2", "-b", "loss"]).options
    assert options.breakpoints == ("step", "nan")
    assert options.target[1:] == ("--epochs", "2", "-b", "loss")
    traced = parse(["trace", "--demo", "--effects", "--updates", "3"]).options
    assert (traced.effects, traced.updates, traced.target[1:]) == (True, None, ("--updates", "3"))


def test_the_help_of_a_command_is_its_own_and_all_of_it_is_in_the_whole() -> None:
    for command in ("run", "trace", "ls", "attach", "stop"):
        assert parse([command, "--help"]) == Request("help", topic=command)
        assert usage(command).startswith(f"usage: stepdbg {command}")
        assert SYNOPSES[command] in usage()
        assert max(map(len, usage(command).splitlines())) <= 120
    assert "--effects" not in usage("run")
    assert "--readonly" not in usage("trace")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian.py"], "did you mean train.py?"),
        (["trcae", "train.py"], "did you mean trace?"),
        (["-m", "trian"], "did you mean train?"),
        (["sub/mian.py"], "did you mean sub/main.py?"),
        (["nothing-like-it"], "is the path right from"),
        ([""], "no TARGET"),
        (["x" * 5_000 + ".py"], "..."),
        (["attach", "x" * 5_000], "..."),
        (["stop", "train\x1b]0;PWN\x07"], "stepdbg ls"),
        (["bad\x1b]0;PWN\x07.py"], "bad␛]0;PWN␇.py"),
        (["--\x1b[31m"], "--␛[31m"),
        (["caf\udce9.py"], "caf�.py"),
        (["--break", "bakward", "train.py"], "did you mean backward?"),
        (["--break", "after Step", "train.py"], "did you mean step?"),
        (["run", "--headless", "-b", "optimizer.step", "train.py"], "did you mean step?"),
    ],
)
def test_what_is_not_there_is_told_in_one_gated_line_with_what_may_be_meant(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.py").touch()
    (tmp_path / "train.py").write_text("with phase('bakwards'): pass\n")
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryDirectory(prefix="sd-", dir="/tmp") as runtime:  # a short path: a socket is to lie in it
        monkeypatch.setenv("STEPDBG_RUNTIME_DIR", runtime)
        assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert len(err) < 400


def test_a_breakpoint_on_a_phase_that_the_script_may_name_is_flagged_and_one_that_it_names_is_not(
    tmp_path: Path,
) -> None:
    script = tmp_path / "train.py"
    script.write_text("def train():\n    yield 'forward_d'\n")
    target = Target((sys.executable, str(script)), "train.py")
    points, remarks = read_breakpoints(["ema", "after forward_d", "update 3", "backward"], target)
    assert [point.phase for point in points] == ["ema", "forward_d", None, "backward"]
    (remark,) = remarks
    assert "no phase is called ema" in remark
    _, remarks = read_breakpoints(["bakward"], Target(("torchrun", str(script)), "torchrun"))
    assert "did you mean backward?" in remarks[0]  # the name may stand in a file that we do not know: no refusal


def test_a_reader_that_has_enough_and_a_full_disk_make_no_traceback(tmp_path: Path) -> None:
    for redirection, said in ((">/dev/full", "No space left on device"), ("| head -c 1", ""), (">&-", "")):
        done = subprocess.run(
            ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, "-m", "stepdbg", "--help"],
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert said in done.stderr
        assert done.stderr.count("\n") == bool(said)


def test_what_is_no_utf8_is_printed_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("utf-8", "latin-1", "ascii"):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        put("größe \udce9 \x1b[2J ⠿\n")
        assert b"\x1b" not in written.getvalue()
        assert written.getvalue().endswith(b"\n")
