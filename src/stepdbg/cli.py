"""The command line: parse, then hand over. Imports nothing heavy, since the first paint waits for it.

Options come before TARGET; everything after TARGET is the target's own.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from stepdbg.commands.printing import hush, put, say
from stepdbg.commands.usage import SYNOPSES, usage
from stepdbg.errors import StepdbgError, UsageError
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


class Request(Struct, frozen=True):
    """A parsed command line."""

    command: str
    """`run`, `trace`, `ls`, `attach`, `stop`, `help`, `keys` or `version`."""
    options: RunOptions = RunOptions()
    session: str | None = None
    topic: str = ""
    """The command whose help is asked for; empty for all."""


_SESSION_COMMANDS = ("ls", "attach", "stop")
_VALUED = {
    "run": ("--break", "-b", "--stop-on", "--watch", "-w", "--watch-csv", "--python", "--keep"),
    "trace": ("--python", "-o", "--output", "--updates"),
}
"""The options of each command that take a value."""
_FLAGS = {
    "run": ("--readonly", "--async-conditions", "--ascii", "--headless", "--fresh", "--no-hints"),
    "trace": ("--effects", "--fingerprints"),
}
_STOP_ON = ("nan", "exception", "never")
"""What `--stop-on` takes: the first NaN or infinity; an uncaught exception, as without it; no exception."""
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
    if words[0] in ("run", "trace"):
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
    """The options of `run` or `trace`, and the target; `named` is the command as it was typed, if it was."""
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
    other = "trace" if command == "run" else "run"
    said = f"there is no option {brief(word)}"
    if word in (*_VALUED[other], *_FLAGS[other]):
        return f"{said} here, it is one of `{SYNOPSES[other if other == 'trace' else '']}`; {_usage(named)}"
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
    points = options.breakpoints if "nan" not in words else (*options.breakpoints, "nan")
    return replace(options, breakpoints=points, exceptions="never" not in words)


def _percent(value: str) -> int:
    number = value.removesuffix("%")
    if not number.isdecimal() or int(number) > 90:
        raise UsageError(f"--keep {value}: that is no share of the free memory; give percent from 0 to 90")
    return int(number)


def _positive(option: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"{option} {value}: that is no number of updates; give one from 1 up")
    return int(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 2 for bad input, after one line on stderr.
    """
    try:
        return _obey(parse(sys.argv[1:] if arguments is None else arguments))
    except StepdbgError as error:
        say(str(error))
        return 2
    except BrokenPipeError:  # as of `stepdbg ls | head`: who read us has enough
        hush()
        return 128 + 13
    except OSError as error:
        say(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        return 128 + 2


@contextlib.contextmanager
def _without_tls() -> Iterator[None]:
    """Have asyncio, which can do without, not load OpenSSL: 6 ms before the first paint, and nobody here uses it."""
    if "ssl" in sys.modules or "asyncio" in sys.modules:
        yield
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # how Python notes that there is no such module
    try:
        yield
    finally:
        del sys.modules["ssl"]


@contextlib.contextmanager
def _ended_if_never_shown(folder: Path | None) -> Iterator[Callable[[], None]]:
    """Have a session that has just been started end where an interrupt comes before there is a screen: nobody has seen
    that there is one. Gives what is to be called at the first frame.

    Args:
        folder: The session's; None for one that was there already.
    """
    shown = False

    def at_first_frame() -> None:
        nonlocal shown
        shown = True

    try:
        yield at_first_frame
    except KeyboardInterrupt:
        if folder is not None and not shown:
            from stepdbg.commands.stop import stop_session

            stop_session(folder.name)
        raise


def _obey(request: Request) -> int:
    options = request.options
    remarks: tuple[str, ...] = ()
    guided = interrupted = False
    if request.command in ("run", "attach") and not options.headless:
        # Until the first frame: what is imported stays, and to look through it for garbage takes a tenth of the time.
        gc.disable()
    match request.command:
        case "help":
            put(usage(request.topic))
            return 0
        case "keys":
            from stepdbg.tui.actions.key_tables import settings_table

            put(settings_table())
            return 0
        case "version":
            from importlib.metadata import version

            put(f"stepdbg {version('stepdbg')}\n")
            return 0
        case "ls":
            from stepdbg.commands.ls import list_sessions

            return list_sessions()
        case "stop":
            from stepdbg.commands.stop import stop_session

            return stop_session(request.session or "")
        case "attach":
            from stepdbg.commands.attach import find_session

            folder = find_session(request.session)
        case "trace":
            from stepdbg.commands.trace.command import trace
            from stepdbg.protocol.messages import Tracing

            wanted = Tracing(options.effects, options.fingerprints, options.updates)
            return trace(options.target, wanted, python=options.python, output=options.output)
        case _:
            from stepdbg.commands.run import run_headless, start_session

            if options.headless:
                return run_headless(
                    options.target,
                    python=options.python,
                    breaks=options.breakpoints,
                    watches=options.watches,
                    watch_file=options.watch_file,
                    exceptions=options.exceptions,
                    readonly=options.readonly,
                    keep=options.keep,
                    async_conditions=options.async_conditions,
                )
            if options.watch_file is not None:
                raise UsageError(
                    "--watch-csv is for `stepdbg run --headless`; on the screen ctrl+s saves what is watched"
                )
            started = start_session(
                options.target,
                python=options.python,
                breaks=options.breakpoints,
                watches=options.watches,
                exceptions=options.exceptions,
                readonly=options.readonly,
                keep=options.keep,
                async_conditions=options.async_conditions,
                fresh=options.fresh,
            )
            folder, remarks, guided = started.folder, started.remarks, started.guided and options.hints
            interrupted = started.interrupted
    with _ended_if_never_shown(folder if request.command == "run" else None) as shown:
        if interrupted:
            raise KeyboardInterrupt
        with _without_tls():
            from stepdbg.tui.run_app import run_app

        return run_app(folder, ascii_only=options.ascii_only, notices=remarks, guided=guided, at_first_frame=shown)
