"""`stepdbg check TARGET`: the first updates of a training run, held against the rules."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from stepdbg.commands.check.findings import Findings
from stepdbg.commands.check.project import project_checks
from stepdbg.commands.check.report import REPORTS
from stepdbg.commands.check.rule_names import chosen_rules
from stepdbg.commands.headless import run_target
from stepdbg.commands.printing import put, say
from stepdbg.commands.target import find_target
from stepdbg.commands.trace.ending import Endings
from stepdbg.commands.trace.stacks import show_stacks
from stepdbg.hub.launch import Launch
from stepdbg.protocol.messages import SessionChanged, ToClient, Traced, Tracing

DEFAULT_UPDATES = 20
PATIENCE_SECONDS = 60.0
"""So long may a script take to its first phase before something is said."""
CLEAN, FOUND, COULD_NOT = 0, 1, 2
"""The exit status: nothing more than facts was found; something was; nothing could be checked."""


def check(
    words: Sequence[str],
    *,
    updates: int | None = None,
    python: str | None = None,
    form: str = "text",
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    probes: Sequence[str] = (),
) -> int:
    """Run the target for so many updates, and print what is wrong with it.

    The report alone stands on stdout, unless it is for people: then what the target writes there comes before it.

    Args:
        words: TARGET and its own arguments.
        updates: the number of updates after which the target is ended; None for what the project says, or 20.
        python: the interpreter of `--python`; None for our own.
        form: how the report is written: `text`, `json`, `github` or `sarif`.
        select: the rules to run; empty for those that the project says, or all.
        ignore: the rules not to run, beside those that the project says.
        probes: the active probes to run, which call the script's own model again in a copy of its process.

    Returns:
        0 where nothing was found, 1 where something was, 2 where nothing could be checked.

    Raises:
        UsageError: the target cannot run, a rule is called otherwise, the project's file is wrong, or there is no
            place for the session.
    """
    project = project_checks(Path.cwd())
    rules = chosen_rules(select or project.select, (*ignore, *project.ignore), project.file, probes)
    updates = updates or project.updates or DEFAULT_UPDATES
    target = find_target(words, python)
    wanted = Tracing(updates=updates, rules=rules)
    found, endings = Findings(), Endings(updates)

    still = threading.Timer(PATIENCE_SECONDS, _say_what_is_waited_for)
    still.daemon = True

    def hear(message: ToClient) -> None:
        found.hear(message)
        if isinstance(message, Traced):
            still.cancel()
            endings.note(message)
        elif isinstance(message, SessionChanged):
            endings.see(message.session.ranks)

    launch = Launch(target.argv, target.script, os.getcwd(), go="continue", terminal=False, trace=wanted)
    apart = form in ("json", "sarif")
    sys.stdout.flush()
    still.start()
    status = run_target(target, launch, hear, show_stacks, endings.started, output=2 if apart else None)
    ending = _ending(found, status, orderly=endings.orderly)
    still.cancel()
    put(REPORTS[form](found, ending))
    if found.bad:
        return FOUND
    return COULD_NOT if found.updates == 0 or not found.complete or found.failure is not None else CLEAN


def _say_what_is_waited_for() -> None:
    say(
        f"after {PATIENCE_SECONDS:.0f} s no forward, backward or step has begun; ctrl+\\ shows where the script is, "
        "ctrl+c ends it"
    )


def _ending(found: Findings, status: int, *, orderly: bool) -> str:
    """What is to be known of how the target has ended; empty where it ended as it should."""
    how = f"signal {-status}" if status < 0 else f"status {status}"
    if found.failure is not None:
        first = found.failure.message.partition("\n")[0]
        words = f"the script failed with {found.failure.type}: {first}"
        return f"{words}; what follows on that was not checked" if found.updates else f"{words}, before its first step"
    if not found.phases and not found.updates:
        return f"nothing was checked: the script ended with {how} and called no model, backward or optimizer of torch"
    if not found.updates:
        met = ", ".join(sorted(found.phases)) or "none"
        return f"nothing was checked: the script made no step of an optimizer (phases met: {met}; it ended with {how})"
    if not found.complete:
        return f"the script ended with {how} before the rules could say what is right"
    return "" if orderly or status == 0 else f"the script ended with {how}"
