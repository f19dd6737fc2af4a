"""`stepdbg trace TARGET`: like strace, one line for each boundary, while the target runs as it would without us."""

from __future__ import annotations

import os
from collections.abc import Sequence

from stepdbg.commands.headless import end_likewise, run_target
from stepdbg.commands.line_file import LineFile
from stepdbg.commands.target import find_target
from stepdbg.commands.trace.ending import Endings
from stepdbg.commands.trace.stacks import show_stacks
from stepdbg.hub.launch import Launch
from stepdbg.protocol.messages import SessionChanged, ToClient, Traced, Tracing
from stepdbg.traces.line import line


def trace(words: Sequence[str], wanted: Tracing, *, python: str | None = None, output: str | None = None) -> int:
    """Run the target and write its boundaries to a file, or to stderr.

    Args:
        words: TARGET and its own arguments.
        wanted: what is told of each boundary, and after how many updates training ends.
        python: the interpreter of `--python`; None for our own.
        output: the file; None for stderr.

    Returns:
        The target's exit status; 0 where it was ended after the updates wanted.

    Raises:
        UsageError: the target cannot run, the file cannot be written, or there is no place for the session.
    """
    target = find_target(words, python)
    file = LineFile(output, target.files, "trace", "-o", "untraced")
    endings = Endings(wanted.updates)

    def hear(message: ToClient) -> None:
        if isinstance(message, Traced):
            file.write(line(message))
            endings.note(message)
        elif isinstance(message, SessionChanged):
            endings.see(message.session.ranks)

    launch = Launch(target.argv, target.script, os.getcwd(), go="continue", terminal=False, trace=wanted)
    status = run_target(target, launch, hear, show_stacks, endings.started)
    file.close()
    return 0 if endings.orderly else end_likewise(status)
