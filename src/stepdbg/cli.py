"""The command line: parse, then hand over. Imports nothing heavy, since the first paint waits for it.

Options come before TARGET; everything after TARGET is the target's own.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from stepdbg.errors import StepdbgError, UsageError

USAGE = """\
usage: stepdbg [OPTIONS] TARGET...          step through the training that TARGET runs
       stepdbg run --headless [OPTIONS] TARGET...   run it with no screen, until a breakpoint
       stepdbg trace [-o FILE] [OPTIONS] TARGET...  run it and write a line for each boundary between two phases
       stepdbg ls                           list the sessions
       stepdbg attach [SESSION]             come back to a session (the newest, if not named)
       stepdbg stop SESSION                 end a session and its training

TARGET is one of
  script.py [args...]              any training script, unchanged
  script.py:generator [args...]    a generator function that yields the names of its phases
  -m module [args...]              a module, as with python -m
  command [args...]                any program that starts Python: torchrun, accelerate launch, bash train.sh

options
  --break SPEC      stop there; may be repeated. SPEC: backward, "before backward", "after step", "update 40",
                    "before backward at update 40"
  --python PYTHON   the interpreter that runs the target (default: the one that stepdbg runs in)
  --readonly        forbid edits
  --keep PERCENT    of the free memory, for what tensors were before a phase changed them (default: 25; 0: none)
  --fresh           begin without what was kept of this script (breakpoints, layout), and keep nothing
  --ascii           draw with plain characters only
  --no-hints        no guided first run
  --keys            print every action with its keys, as the settings name them
  --version         print the version
  --help            print this

options of trace
  -o FILE           write the lines there, not to stderr; one JSON object each
  --updates N       end the target after N updates, with status 0
  --effects         tell what each phase did to which object
  --fingerprints    tell the fingerprint of everything alive at each boundary
"""


class RunOptions(Struct, frozen=True):
    """What `stepdbg [run|trace] [OPTIONS] TARGET…` asks for."""

    target: tuple[str, ...] = ()
    python: str | None = None
    breakpoints: tuple[str, ...] = ()
    readonly: bool = False
    keep: int = 25
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


def parse(arguments: Sequence[str]) -> Request:
    """Understand a command line, without the program's name.

    Raises:
        UsageError: it makes no sense; the text says what would.
    """
    words = list(arguments)
    if not words:
        raise UsageError("no TARGET is given; try `stepdbg train.py`, or `stepdbg --help`")
    if words[0] in ("ls", "attach", "stop"):
        return _parse_session_command(words[0], words[1:])
    if words[0] == "trace":
        return _parse_run("trace", words[1:])
    return _parse_run("run", words[1:] if words[0] == "run" else words)


def _parse_session_command(command: str, words: list[str]) -> Request:
    if {"-h", "--help"} & set(words):
        return Request("help")
    ascii_only = "--ascii" in words and command == "attach"
    if ascii_only:
        words = [word for word in words if word != "--ascii"]
    if words and words[0].startswith("-"):
        raise UsageError(f"`stepdbg {command}` has no option {words[0]}; see `stepdbg --help`")
    most = 0 if command == "ls" else 1
    if len(words) > most:
        raise UsageError(f"`stepdbg {command}` cannot do with {' '.join(words[most:])!r}; see `stepdbg --help`")
    if command == "stop" and not words:
        raise UsageError("`stepdbg stop` needs the name of a session; `stepdbg ls` lists them")
    return Request(command, RunOptions(ascii_only=ascii_only), words[0] if words else None)


_VALUED = {"run": ("--break", "--python", "--keep"), "trace": ("--python", "-o", "--output", "--updates")}
"""The options of each command that take a value."""
_FLAGS = {
    "run": ("--readonly", "--ascii", "--headless", "--fresh", "--no-hints"),
    "trace": ("--effects", "--fingerprints"),
}


def _parse_run(command: str, words: list[str]) -> Request:
    options = RunOptions()
    while words and words[0].startswith("-") and words[0] != "-m":
        word, equals, value = words.pop(0).partition("=")
        if word in ("--help", "-h"):
            return Request("help")
        if word in ("--version", "-V"):
            return Request("version")
        if word == "--keys":
            return Request("keys")
        if word not in (*_VALUED[command], *_FLAGS[command]):
            raise UsageError(f"there is no option {word}; see `stepdbg --help` (options come before TARGET)")
        if word in _VALUED[command] and not equals:
            if not words:
                raise UsageError(f"{word} needs a value; see `stepdbg --help`")
            value = words.pop(0)
        elif equals and word in _FLAGS[command]:
            raise UsageError(f"{word} takes no value; see `stepdbg --help`")
        match word:
            case "--break":
                options = replace(options, breakpoints=(*options.breakpoints, value))
            case "--python":
                options = replace(options, python=value)
            case "--readonly":
                options = replace(options, readonly=True)
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
    if not words:
        raise UsageError("no TARGET is given; try `stepdbg train.py`, or `stepdbg --help`")
    return Request(command, replace(options, target=tuple(words)))


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
        print(f"stepdbg: {error}", file=sys.stderr)
        return 2


def _obey(request: Request) -> int:
    options = request.options
    remarks: tuple[str, ...] = ()
    guided = False
    match request.command:
        case "help":
            print(USAGE, end="")
            return 0
        case "keys":
            from stepdbg.tui.key_tables import settings_table

            print(settings_table(), end="")
            return 0
        case "version":
            from importlib.metadata import version

            print(f"stepdbg {version('stepdbg')}")
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
            from stepdbg.commands.trace import trace
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
                    readonly=options.readonly,
                    keep=options.keep,
                )
            started = start_session(
                options.target,
                python=options.python,
                breaks=options.breakpoints,
                readonly=options.readonly,
                keep=options.keep,
                fresh=options.fresh,
            )
            folder, remarks, guided = started.folder, started.remarks, started.guided and options.hints
    gc.disable()  # what is imported stays: looking through it for garbage takes a tenth of the time to the first paint
    from stepdbg.tui.run_app import run_app  # only now: the hub and the target are starting meanwhile

    gc.freeze()
    gc.enable()
    return run_app(folder, ascii_only=options.ascii_only, remarks=remarks, guided=guided)
