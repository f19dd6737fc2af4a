"""The breakpoints of the command line, held against what phases and files there are: a slip would let the whole run go
by.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from stepdbg.commands.line_breakpoints import check_line
from stepdbg.commands.target import Target
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import nearest
from stepdbg.protocol.breakpoint_text import is_gradient, parse
from stepdbg.protocol.messages import Breakpoint
from stepdbg.protocol.phases import PHASES

_MOST_FILES = 200
_MOST_BYTES = 1 << 20


def read_breakpoints(texts: Sequence[str], target: Target) -> tuple[tuple[Breakpoint, ...], tuple[str, ...]]:
    """The breakpoints that the texts describe, and a remark on each whose phase or file may never come.

    Raises:
        UsageError: one describes none, or a phase that is nearly one of ours and that the script does not mention, or a
            line without code.
    """
    points = tuple(parse(text) for text in texts)
    remarks = []
    for point in points:
        if point.line is not None:
            remarks += [remark] if (remark := check_line(point.file, point.line, target)) else []
            continue
        name = point.phase
        if name is None or is_gradient(name, point.of) or name in PHASES or mentioned(name, target):
            continue
        like = nearest(name.rpartition(".")[2], PHASES)
        if like and target.is_script:
            raise UsageError(f"no phase is called {name}; did you mean {like}? (phases: {', '.join(PHASES)})")
        hint = f"did you mean {like}?" if like else f"stepdbg's own are {', '.join(PHASES)}"
        remarks.append(f"no phase is called {name}, unless the script names one so: {hint}")
    return points, tuple(remarks)


def is_place(text: str) -> bool:
    """Whether a text is a breakpoint that needs nothing of a script's own."""
    try:
        point = parse(text)
    except UsageError:
        return False
    return point.phase is None or point.phase in PHASES


def mentioned(name: str, target: Target) -> bool:
    """Whether the script, or a file beside it, has the name between quotes somewhere in its text."""
    quoted = re.compile(rb"[\"']" + re.escape(name.encode("utf-8", "backslashreplace")) + rb"[\"']")
    scripts = [Path(file) for file in target.files if file.endswith(".py")]
    beside = itertools.chain.from_iterable(script.parent.glob("*.py") for script in scripts)
    for file in itertools.islice(itertools.chain(scripts, beside), _MOST_FILES):
        try:
            with file.open("rb") as opened:
                if quoted.search(opened.read(_MOST_BYTES)):
                    return True
        except OSError:
            continue
    return False
