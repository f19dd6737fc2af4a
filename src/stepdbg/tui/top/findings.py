"""The line under the sentence on what a rule has found here for the first time: the rule, what is wrong, and the key of
the panel that says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepdbg.protocol.messages import Finding
from stepdbg.tui.drawing.lines import Glyphs, Line, Span, plain, wrapped
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget
from stepdbg.tui.words.findings import ROLES, faults


def met_here(snapshot: Snapshot) -> list[Finding]:
    """What the rules have found for the first time at the stop in view, the worst first; facts are none of it."""
    stop = snapshot.stop
    if stop is None or stop.inner is not None or not (snapshot.paused or snapshot.looking_back):
        return []
    return [one for one in faults(snapshot) if one.boundary == stop.boundary.index]


def draw(snapshot: Snapshot, width: int, most: int, glyphs: Glyphs) -> list[Line]:
    """What was found here in one line, or in a few where not even its first clause fits into one.

    Args:
        snapshot: What is known.
        width: Cells.
        most: Lines that there may be.
        glyphs: The characters there are.
    """
    found = met_here(snapshot)
    if not found:
        return []
    key = snapshot.key("panel_findings")
    more = f"{len(found) - 1} more: {key}" if len(found) > 1 else f"why: {key}"
    words = [f"! {shown} ({more})" for shown in _shorter(found[0], glyphs.ellipsis)]
    fitting = (one for lines in range(1, most + 1) for one in words if len(wrapped(one, width, lines + 1)) <= lines)
    shown = next(fitting, words[-1])
    role = ROLES[found[0].severity]
    return [(Span(f" {line}", role, PanelTarget("findings")),) for line in wrapped(shown, width, most, glyphs.ellipsis)]


def _shorter(finding: Finding, ellipsis: str) -> Iterator[str]:
    """The rule and its sentence, then with fewer and fewer of its clauses, to the first."""
    words = plain(finding.message)
    yield f"{finding.rule}: {words}"
    ends = [one.start() for one in re.finditer(r"(: |; |, (?=and |so |but ))(?![^\[(]*[\])])", words)]
    for end in reversed(ends):
        yield f"{finding.rule}: {words[:end]} {ellipsis}"
