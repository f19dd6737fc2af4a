"""`stepdbg TARGET` and `stepdbg run --headless TARGET`: make a session and start the target in it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from stepdbg.commands.printing import say
from stepdbg.commands.target import Target, find_target
from stepdbg.errors import UsageError
from stepdbg.home.first_run import wants_hints
from stepdbg.home.folders import script_file
from stepdbg.home.script_state import read_state
from stepdbg.hub.launch import Launch, start_hub
from stepdbg.protocol.messages import Breakpoint, Watch
from stepdbg.terminal_size import terminal_size


def need_terminal() -> None:
    """Make sure that there is a terminal to draw on.

    Raises:
        UsageError: there is none.
    """
    if not (_leads_to_terminal(sys.stdin) and _leads_to_terminal(sys.stdout)):
        raise UsageError("stdin and stdout must be a terminal; without one use `stepdbg run --headless TARGET`")
    if os.environ.get("TERM") == "dumb":
        raise UsageError("TERM=dumb cannot show a screen; use another, or `stepdbg run --headless TARGET`")


def _leads_to_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _watches(texts: Sequence[str]) -> tuple[Watch, ...]:
    """The watches of the command line.

    Raises:
        UsageError: one of the texts is no expression.
    """
    if not texts:
        return ()
    from stepdbg.protocol.watch_text import read_watch

    return tuple(Watch(0, read_watch(text)) for text in texts)


def _breakpoints(texts: Sequence[str], target: Target) -> tuple[tuple[Breakpoint, ...], tuple[str, ...]]:
    if not texts:
        return (), ()
    from stepdbg.commands.breakpoints import read_breakpoints

    return read_breakpoints(texts, target)


class Rules(Struct, frozen=True):
    """What a project says of the rules that look on while somebody steps."""

    selected: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    """What is wrong with what it says, which then does not hold."""


def rules_of_project() -> Rules:
    """What the project says that the current folder belongs to."""
    folder = Path.cwd()
    if not any(_speaks_of_us(one / "pyproject.toml") for one in (folder, *folder.parents)):
        return Rules()  # the usual case, before the first paint: nothing is imported for it
    from stepdbg.commands.check.project import project_checks
    from stepdbg.commands.check.rule_names import chosen_rules

    try:
        project = project_checks(folder)
        chosen_rules(project.select, project.ignore, project.file)
        return Rules(project.select or None, project.ignore)
    except UsageError as error:
        return Rules(wrong=(f"{error}; all rules look on",))


def _speaks_of_us(file: Path) -> bool:
    """Whether a file is there that has our name in it."""
    try:
        return b"stepdbg" in file.read_bytes()
    except OSError:
        return False


def _misplaced(target: Target) -> tuple[str, ...]:
    """A remark, where options that can only be stepdbg's stand after a script that does not mention them."""
    from stepdbg.hub.session.notices import options_of_ours, where_they_stand

    found = set(options_of_ours(target.argv)) - _MANY_HAVE
    if not found or not target.is_script:
        return ()
    from stepdbg.commands.breakpoints import is_place, mentioned

    values = dict(zip(target.argv, target.argv[1:], strict=False))
    unknown = [one for one in target.argv if one in found and not mentioned(one, target)]
    unknown = [one for one in unknown if one not in ("-b", "--break") or is_place(values.get(one, ""))]
    return (where_they_stand(tuple(dict.fromkeys(unknown))),) if unknown else ()


_MANY_HAVE = frozenset(("-w", "--watch", "--keep", "--ascii"))
"""Options of stepdbg's that many a script has as well, and may have read for it by a library."""


class Started(Struct, frozen=True):
    """A session that has just been started."""

    folder: Path
    remarks: tuple[str, ...] = ()
    """What the user is to be told on the screen."""
    guided: bool = False
    """Whether the screen is to show its hints."""
    interrupted: bool = False
    """Whether an interrupt has come while the session was started."""


def start_session(
    words: Sequence[str],
    *,
    python: str | None = None,
    breaks: Sequence[str] = (),
    watches: Sequence[str] = (),
    exceptions: bool = True,
    readonly: bool = False,
    keep: int = 25,
    async_conditions: bool = False,
    fresh: bool = False,
) -> Started:
    """Start hub and target; a screen may connect to the session's folder at once.

    Args:
        words: TARGET and its arguments.
        python: The interpreter of `--python`.
        breaks: Breakpoints as they are written on the command line.
        watches: Expressions to be watched.
        exceptions: An uncaught exception is a stop.
        readonly: Edits are refused.
        keep: Percent of the free memory for what was before a phase.
        async_conditions: A condition on what lies on a device may be read at a later boundary.
        fresh: What is kept of the script is neither read nor written.

    Raises:
        UsageError: the target cannot run, there is no terminal, or no place for the session.
    """
    target = find_target(words, python)
    breakpoints, flagged = _breakpoints(breaks, target)
    watched = _watches(watches)
    need_terminal()
    columns, rows = terminal_size()
    kept, remarks = "", list[str]()
    if not fresh:
        file = script_file(target.identity, target.script)
        state, remark = read_state(file)
        breakpoints, watched = (*state.breakpoints, *breakpoints), (*state.watches, *watched)
        kept, remarks = str(file), [remark] if remark else []
    rules = rules_of_project()
    launch = Launch(
        target.argv,
        target.script,
        os.getcwd(),
        breakpoints,
        rules=rules.selected,
        ignored_rules=rules.ignored,
        exceptions=exceptions,
        readonly=readonly,
        keep=keep,
        async_conditions=async_conditions,
        kept=kept,
        columns=max(20, columns),
        rows=max(5, rows),
        watches=watched,
    )
    misplaced, guided = _misplaced(target), wants_hints(target.identity)
    with _interrupts_held() as came:
        folder = start_hub(launch)
    return Started(folder, (*misplaced, *flagged, *remarks, *rules.wrong), guided, bool(came))


@contextlib.contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Have an interrupt leave nothing half started; gives where those that have come are kept. (A process that is
    started meanwhile has them as ever.)
    """
    came: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    except ValueError:  # this is not the main thread, to which they come
        yield came
        return
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def run_headless(
    words: Sequence[str],
    *,
    python: str | None = None,
    breaks: Sequence[str] = (),
    watches: Sequence[str] = (),
    watch_file: str | None = None,
    exceptions: bool = True,
    readonly: bool = False,
    keep: int = 25,
    async_conditions: bool = False,
) -> int:
    """Run the target freely as our own child, with our stdin, stdout and stderr; a breakpoint met stops it.

    Args:
        words: TARGET and its arguments.
        python: The interpreter of `--python`.
        breaks: Breakpoints as they are written on the command line.
        exceptions: An uncaught exception is a stop.
        watches: Expressions to be watched.
        watch_file: Where their values are written; None for lines on stderr.
        readonly: Edits are refused.
        keep: Percent of the free memory for what was before a phase.
        async_conditions: A condition on what lies on a device may be read at a later boundary.

    Returns:
        The target's exit status. Where a signal ended it, the same signal ends this process too.

    Raises:
        UsageError: the target cannot run, or there is no place for the session.
    """
    from stepdbg.commands.headless import end_likewise, run_target
    from stepdbg.commands.watches import WatchLog

    target = find_target(words, python)
    breakpoints, flagged = _breakpoints(breaks, target)
    watched = _watches(watches)
    if watch_file is not None and not watches:
        raise UsageError("--watch-csv needs something to write; add for example `--watch 'grad_norm()'`")
    rules = rules_of_project()
    for remark in (*_misplaced(target), *flagged, *rules.wrong):
        say(remark)
    launch = Launch(
        target.argv,
        target.script,
        os.getcwd(),
        breakpoints,
        rules=rules.selected,
        ignored_rules=rules.ignored,
        go="continue",
        exceptions=exceptions,
        readonly=readonly,
        keep=keep,
        async_conditions=async_conditions,
        terminal=False,
        watches=watched,
    )
    log = WatchLog([watch.expression for watch in watched], watch_file, target.files)
    status = run_target(target, launch, log.hear)
    log.close()
    return end_likewise(status)
