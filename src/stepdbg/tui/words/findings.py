"""What the rules have found, sorted, and in a few words."""

from __future__ import annotations

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.state.snapshot import Snapshot

ORDER: tuple[FindingSeverity, ...] = ("error", "warning", "info")
"""The worst first."""
ROLES: dict[FindingSeverity, str] = {"error": "error", "warning": "warning", "info": "dim"}
"""How each is drawn."""


def sorted_findings(snapshot: Snapshot) -> list[Finding]:
    """What was found so far by all ranks, the worst first, then as it was met."""
    return sorted(snapshot.session.findings, key=lambda one: (ORDER.index(one.severity), one.rank, one.boundary))


def faults(snapshot: Snapshot) -> list[Finding]:
    """What was found in the rank that is looked at, and is more than a fact, the worst first; in the past, by then."""
    found = [one for one in sorted_findings(snapshot) if one.rank == snapshot.rank and one.severity != "info"]
    return [one for one in found if one.boundary <= snapshot.boundary] if snapshot.looking_back else found


def updates(one: Finding, glyphs: Glyphs) -> str:
    """`update 2`, `updates 2–12`."""
    if one.first == one.last:
        return f"update {one.first}" if one.first else "before training"
    return f"updates {one.first}{'–' if glyphs.braille else '-'}{one.last}"


def worst(found: list[Finding]) -> str:
    """The role of the worst of these; empty where there are none."""
    return ROLES[min(found, key=lambda one: ORDER.index(one.severity)).severity] if found else ""


def faulty_tensors(snapshot: Snapshot) -> dict[str, str]:
    """The role of each tensor that a rule has found something about, itself or its gradient, by name; the worst."""
    found: dict[str, str] = {}
    for one in reversed(faults(snapshot)):
        for name in one.objects:
            found[name.removesuffix(".grad")] = ROLES[one.severity]
    return found
