"""What the rules of all training processes have told, put together: the same thing found by several ranks is one."""

from __future__ import annotations

from msgspec.structs import replace

from stepdbg.protocol.messages import Checked, Failure, Finding, FindingMet, ToClient, Traced

_ORDER = ("error", "warning", "info")


class Findings:
    """What was found so far."""

    def __init__(self) -> None:
        self._found: dict[object, Finding] = {}
        self._checked: dict[int, Checked] = {}
        """What each process has said at its end."""
        self._updates: dict[int, int] = {}
        """How far each process has come, as the boundaries tell that it has passed."""
        self.failure: Failure | None = None
        """The exception that ended the script."""
        self.phases: set[str] = set()
        """The phases that were met."""

    def hear(self, message: ToClient) -> None:
        """Something that the hub says."""
        if isinstance(message, FindingMet):
            finding = message.finding
            known = self._found.get(finding.key)
            if known is not None:
                finding = replace(finding, first=min(known.first, finding.first), last=max(known.last, finding.last))
            self._found[finding.key] = finding
        elif isinstance(message, Checked):
            self._checked[message.pid] = message
        elif isinstance(message, Traced):
            boundary = message.boundary
            if boundary.done is not None:
                self.phases.add(boundary.done)
            if boundary.done == "step":
                self._updates[message.pid] = max(self._updates.get(message.pid, 0), boundary.update)
            self.failure = message.failure or self.failure

    @property
    def all(self) -> list[Finding]:
        """The findings, the worst first, then as they were met."""
        return sorted(self._found.values(), key=lambda one: (_ORDER.index(one.severity), one.first, one.boundary))

    @property
    def bad(self) -> bool:
        """Whether anything was found that is more than a fact."""
        return any(one.severity != "info" for one in self._found.values())

    @property
    def updates(self) -> int:
        """The number of updates that were looked at, of the process that was looked at longest."""
        told = [one.updates for one in self._checked.values()]
        return max([*told, *self._updates.values(), 0])

    @property
    def complete(self) -> bool:
        """Whether a process has come to the end of what was to be checked and said so."""
        return bool(self._checked)

    @property
    def right(self) -> tuple[str, ...]:
        """What all processes know to be right."""
        told = [one.right for one in self._checked.values() if one.updates]
        return tuple(words for words in told[0] if all(words in other for other in told)) if told else ()

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What any process could not look at."""
        return tuple(dict.fromkeys(words for one in self._checked.values() for words in one.unchecked))
