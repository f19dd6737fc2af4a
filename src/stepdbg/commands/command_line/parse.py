"""The command line, understood: which command, with which options, on which target.

Options come before TARGET; everything after TARGET is the target's own. Imports nothing heavy, since the first paint
waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from stepdbg.commands.command_line.usage import SYNOPSES
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import brief, did_you_mean


class RunOptions(Struct, frozen=True):
    """What `stepdbg [run|trace] [OPTIONS] TARGET…` asks for."""

    target: tuple[str, ...] = ()
    python: str | None = None
    breakpoints: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    watch_file: str | None = None
    """The file that a headless run writes the values of its watches to; None for stderr."""
    exceptions: bool = True
    """Whether an uncaught exception is a stop."""
    readonly: bool = False
    keep: int = 25
    async_conditions: bool = False
    ascii_only: bool = False
    headless: bool = False
    fresh: bool = False
    hints: bool = True
    output: str | None = None
    """The file of a trace; None for stderr."""
    updates: int | None = None
    effects: bool = False
    fingerprints: bool = False
    form: str = "text"
    """How the report of a check is written."""
    select: tuple[str, ...] = ()
    """The rules that are checked; empty for all."""
    ignore: tuple[str, ...] = ()
    """The rules that are not."""
    probes: tuple[str, ...] = ()
    """The active probes that are asked for."""


class Request(Struct, frozen=True):
    """A parsed command line."""

    command: str
    """`run`, `trace`, `check`, `ls`, `attach`, `stop`, `help`, `keys` or `version`."""
    options: RunOptions = RunOptions()
    session: str | None = None
    topic: str = ""
    """The command whose help is asked for; empty for all."""


_SESSION_COMMANDS = ("ls", "attach", "stop")
_VALUED = {
    "run": ("--break", "-b", "--stop-on", "--watch", "-w", "--watch-csv", "--python", "--keep"),
    "trace": ("--python", "-o", "--output", "--updates"),
    "check": ("--python", "--updates", "--format", "--select", "--ignore"),
}
"""The options of each command that take a value."""
_FLAGS = {
    "run": ("--readonly", "--async-conditions", "--ascii", "--headless", "--fresh", "--no-hints"),
    "trace": ("--effects", "--fingerprints"),
    "check": ("--json", "--probe", "--overfit-batch"),
}
_FORMATS = ("text", "json", "github", "sarif")
"""What `--format` takes."""
_STOP_ON = ("nan", "finding", "exception", "never")
"""What `--stop-on` takes: the first NaN or infinity; what a rule finds; an uncaught exception, as without it; no
exception."""
_OF_THE_DEMO = ("--epochs", "--updates", "--digest")
"""Options of the demo's own, after `--demo`; stepdbg's may stand there too."""
_ANYWHERE = ("--help", "--version", "--keys", "--demo")


def parse(arguments: Sequence[str]) -> Request:
    """Understand a command line, without the program's name.

    Raises:
        UsageError: it makes no sense; the text says what would.
    """
    words = list(arguments)
    if not words:
        raise UsageError("no TARGET is given; try `stepdbg train.py`, or `stepdbg --help`")
    if words[0] in _SESSION_COMMANDS:
        return _parse_session_command(words[0], words[1:])
    if words[0] in _VALUED:
        return _parse_run(words[0], words[1:], words[0])
    return _parse_run("run", words, "")


def _parse_session_command(command: str, words: list[str]) -> Request:
    if {"-h", "--help"} & set(words):
        return Request("help", topic=command)
    ascii_only = "--ascii" in words and command == "attach"
    if ascii_only:
        words = [word for word in words if word != "--ascii"]
    if words and words[0].startswith("-"):
        known = ["--ascii", "--help"] if command == "attach" else ["--help"]
        raise UsageError(
            f"`stepdbg {command}` has no option {brief(words[0])}{did_you_mean(words[0], known)}; {_usage(command)}"
        )
    most = 0 if command == "ls" else 1
    if len(words) > most:
        raise UsageError(f"`stepdbg {command}` cannot do with {' '.join(words[most:])!r}; {_usage(command)}")
    if command == "stop" and not words:
        raise UsageError(f"no SESSION is given; {_usage(command)} (`stepdbg ls` lists them)")
    return Request(command, RunOptions(ascii_only=ascii_only), words[0] if words else None)


def _usage(command: str) -> str:
    """How a command is written, for the end of an error."""
    return f"usage: {SYNOPSES[command]}"


def _demo() -> str:
    """The digit classifier that comes with stepdbg.

    Raises:
        UsageError: it did not come along.
    """
    from stepdbg.home.first_run import DEMOS

    if not (DEMOS / "mnist.py").is_file():
        raise UsageError("the demos did not come with this stepdbg; name a script of your own: `stepdbg train.py`")
    return str(DEMOS / "mnist.py")


def _parse_run(command: str, words: list[str], named: str) -> Request:
    """The options of `run`, `trace` or `check`, and the target; `named` is the command as it was typed, if it was."""
    options, demo, taken = RunOptions(), "", ""
    while words and words[0].startswith("-") and words[0] not in ("-m", "-"):
        if demo and (words[0] in _OF_THE_DEMO or words[0].partition("=")[0] not in _known(command)):
            break
        word, equals, value = words.pop(0).partition("=")
        if word == "--" and not equals:
            break
        if word in ("--help", "-h"):
            return Request("help", topic=named)
        if word in ("--version", "-V"):
            return Request("version")
        if word == "--keys":
            return Request("keys")
        if word == "--demo":
            demo = _demo()
            continue
        if word not in _known(command):
            raise UsageError(_no_option(command, word, named))
        if word in _VALUED[command] and not equals:
            if not words:
                raise UsageError(f"{word} needs a value; {_usage(named)}")
            value = words.pop(0)
            taken = f"; {word} has taken {brief(value)} for its value" if not words else ""
        elif equals and word in _FLAGS[command]:
            raise UsageError(f"{word} takes no value; {_usage(named)}")
        match word:
            case "--break" | "-b":
                options = replace(options, breakpoints=(*options.breakpoints, value))
            case "--watch" | "-w":
                options = replace(options, watches=(*options.watches, value))
            case "--watch-csv":
                options = replace(options, watch_file=value)
            case "--stop-on":
                options = _stop_on(value, options)
            case "--python":
                options = replace(options, python=value)
            case "--readonly":
                options = replace(options, readonly=True)
            case "--async-conditions":
                options = replace(options, async_conditions=True)
            case "--keep":
                options = replace(options, keep=_percent(value))
            case "--ascii":
                options = replace(options, ascii_only=True)
            case "--fresh":
                options = replace(options, fresh=True)
            case "--no-hints":
                options = replace(options, hints=False)
            case "--headless":
                options = replace(options, headless=True)
            case "-o" | "--output":
                options = replace(options, output=value)
            case "--updates":
                options = replace(options, updates=_positive(word, value))
            case "--effects":
                options = replace(options, effects=True)
            case "--fingerprints":
                options = replace(options, fingerprints=True)
            case "--json":
                options = replace(options, form="json")
            case "--probe":
                options = replace(options, probes=(*options.probes, "sample-leak"))
            case "--overfit-batch":
                options = replace(options, probes=(*options.probes, "loss-not-decreasing"))
            case "--format":
                options = replace(options, form=_form(value))
            case "--select":
                options = replace(options, select=(*options.select, *_names(value)))
            case "--ignore":
                options = replace(options, ignore=(*options.ignore, *_names(value)))
    if demo:
        words.insert(0, demo)
    if not words or not words[0]:
        raise UsageError(f"no TARGET is given{taken}; {_usage(named)} (`stepdbg {f'{named} ' if named else ''}--help`)")
    return Request(command, replace(options, target=tuple(words)))


def _known(command: str) -> tuple[str, ...]:
    """The options that stand before TARGET."""
    return *_VALUED[command], *_FLAGS[command]


def _no_option(command: str, word: str, named: str) -> str:
    """What is wrong with an option: a slip, or one of another command's."""
    others = [one for one in _VALUED if one != command and word in _known(one)]
    said = f"there is no option {brief(word)}"
    if others:
        return f"{said} here, it is one of `{SYNOPSES[others[0].replace('run', '')]}`; {_usage(named)}"
    like = did_you_mean(word, (*_VALUED[command], *_FLAGS[command], *_ANYWHERE))
    return f"{said}{like or f'; see `stepdbg {named} --help`'.replace('  ', ' ')} (options come before TARGET)"


def _stop_on(value: str, options: RunOptions) -> RunOptions:
    """The options with what `--stop-on` names beside them.

    Raises:
        UsageError: it names something else, or both an exception and never.
    """
    words = [word.strip().lower() for word in value.split(",")]
    if unknown := [word for word in words if word not in _STOP_ON]:
        like = did_you_mean(unknown[0], _STOP_ON)
        raise UsageError(
            f"--stop-on {brief(unknown[0])}: that is nothing to stop on{like}; give one of {', '.join(_STOP_ON)}, or "
            f"several with commas between them"
        )
    if {"exception", "never"} <= {*words}:
        raise UsageError(f"--stop-on {value}: `never` is no stop on an exception, so give one of the two")
    points = (*options.breakpoints, *(word for word in ("nan", "finding") if word in words))
    return replace(options, breakpoints=points, exceptions="never" not in words)


def _form(value: str) -> str:
    if value not in _FORMATS:
        raise UsageError(f"--format {brief(value)}: there is no such format; give one of {', '.join(_FORMATS)}")
    return value


def _names(value: str) -> list[str]:
    """The names of rules that an option lists, with commas between them."""
    return [word for one in value.split(",") if (word := one.strip())]


def _percent(value: str) -> int:
    number = value.removesuffix("%")
    if not number.isdecimal() or int(number) > 90:
        raise UsageError(f"--keep {value}: that is no share of the free memory; give percent from 0 to 90")
    return int(number)


def _positive(option: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"{option} {value}: that is no number of updates; give one from 1 up")
    return int(value)
