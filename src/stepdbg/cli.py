"""One command: understood, then handed over to. Imports nothing heavy, since the first paint waits for it."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stepdbg.commands.command_line.parse import Request, parse
from stepdbg.commands.command_line.usage import usage
from stepdbg.commands.printing import hush, put, say
from stepdbg.errors import StepdbgError, UsageError


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
        case "check":
            from stepdbg.commands.check.command import check

            return check(
                options.target,
                updates=options.updates,
                python=options.python,
                form=options.form,
                select=options.select,
                ignore=options.ignore,
                probes=options.probes,
            )
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
