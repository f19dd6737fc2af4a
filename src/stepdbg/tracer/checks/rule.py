"""A rule: what it is called, how bad what it finds is, and what it looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tracer.checks.measured.steps import Measures
from stepdbg.tracer.checks.moment import Moment


class Rule:
    """Base of all rules. A rule keeps what it has seen from one boundary to the next; it is made anew for each run."""

    name: ClassVar[str]
    """Its name, as it is written in `# stepdbg: ignore[...]`."""
    severity: ClassVar[FindingSeverity] = "error"
    """How bad its findings are, unless one says otherwise."""

    exact: ClassVar[bool] = True
    """Whether it is decided with no threshold; only such rules look on while somebody steps, unless one is asked for by
    its name."""
    probing: ClassVar[bool] = False
    """Whether it calls the script's own model again, in a copy: only where it was asked for by name."""
    measured: ClassVar[bool] = False
    """Whether it goes by `measures`."""
    measures: Measures
    """The losses and norms so far, this boundary's included; of a rule that goes by them."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        """What it finds at a boundary between two phases."""
        return ()

    def end(self, moment: Moment) -> Iterable[Finding]:
        """What it finds once all updates have been looked at, at the last boundary, which was just shown to `look`."""
        return ()

    def forget(self) -> None:
        """Boundaries have passed that nobody has looked at."""

    def right(self) -> str:
        """What it knows to be right, having found nothing: `gradients are cleared before each update`; empty where it
        has not seen enough to say so.
        """
        return ""

    def unchecked(self) -> str:
        """What it could not look at, and why; empty where it could, or where there is nothing of that kind."""
        return ""

    def finding(
        self,
        moment: Moment,
        message: str,
        *,
        objects: Iterable[str] = (),
        place: tuple[str, int] | None = None,
        evidence: str = "",
        cause: str = "",
        fix: str = "",
        severity: FindingSeverity | None = None,
        update: int | None = None,
    ) -> Finding:
        """A finding of this rule.

        Args:
            moment: Where it was met.
            message: One sentence.
            objects: The names of what it is about.
            place: File and line; None for where training stands.
            evidence: What was measured.
            cause: Why it is so.
            fix: What to write instead.
            severity: How bad it is; None for as bad as the rule's findings are.
            update: The update in which it was met; None for that of the boundary.
        """
        file, line = place or moment.here or ("", 0)
        phase, of = moment.phase_at(file, line)
        update = moment.update if update is None else update
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            objects=tuple(objects),
            file=file,
            line=line,
            first=update,
            last=update,
            evidence=evidence,
            cause=cause,
            fix=fix,
            rank=moment.boundary.rank,
            boundary=moment.boundary.index,
            phase=phase,
            of=of,
        )
