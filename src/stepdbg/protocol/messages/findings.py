"""What the rules have found wrong with a training run, and what they have found right."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Message, Part

FindingSeverity = Literal["error", "warning", "info"]


class Finding(Part, frozen=True):
    """One thing that a rule has found."""

    rule: str
    """The name of the rule: `stale-gradients`."""
    severity: FindingSeverity
    message: str
    """What is wrong, in one sentence."""
    objects: tuple[str, ...] = ()
    """The names of what it is about, as the user would write them."""
    file: str = ""
    line: int = 0
    """The user's line that is to be looked at; 0 where it is not known."""
    first: int = 0
    """The update in which it was met first; 0 where training had not begun."""
    last: int = 0
    """The update in which it was met last, so far."""
    evidence: str = ""
    """What was measured, in numbers."""
    cause: str = ""
    """Why it is so, where that is known."""
    fix: str = ""
    """What to write instead, in a line or two."""
    rank: int = 0
    boundary: int = 0
    """The boundary, by its index, at which it was met first; where somebody steps, at which it was told first."""
    phase: str = ""
    """The phase that it is about: the one done there, or the one that came next; empty where there was none."""
    of: str = ""
    """Whose phase that is, as in `PhaseRecord.of`: the name of an optimizer, a model or a loss; empty where that is not
    known."""

    @property
    def key(self) -> tuple[str, str, int, tuple[str, ...]]:
        """What tells it from other findings: the same thing met again is not another one."""
        return self.rule, self.file, self.line, self.objects


class FindingMet(Message, frozen=True):
    """A rule has found something, or has met it again. From a rank to the hub, and on to its clients."""

    finding: Finding


class Checked(Message, frozen=True):
    """The rules have seen all that they were to see. From a rank to the hub, and on to the launcher."""

    updates: int
    """The number of updates that were looked at."""
    right: tuple[str, ...] = ()
    """What is known to be right, in words."""
    unchecked: tuple[str, ...] = ()
    """What could not be looked at, and why."""
    pid: int = 0
    rank: int = 0


class ReplicaStepped(Message, frozen=True):
    """An optimizer has stepped parameters of which each rank has a replica. From a rank to the hub, which holds them
    against those of other ranks: no rank waits for another.
    """

    step: int
    """The number of the step, from 1."""
    update: int
    boundary: int
    """The boundary, by its index, at which the step was over."""
    names: tuple[str, ...]
    """The parameters."""
    before: tuple[int, ...]
    """Their fingerprints as the step began."""
    gradients: tuple[int, ...]
    """The fingerprints of their gradients, as they were last before the step was over; 0 for none."""
    after: tuple[int, ...]
    """Their fingerprints after the step."""
    batches: tuple[int, ...] = ()
    """The fingerprints of the batches that loaders gave since the step before."""
    settings: str = ""
    """The learning rates."""
    optimizer: str = ""
    model: str = ""
    """What was called in the last forward."""
    wrapper: str = ""
    """What averages the gradients."""
    around: bool = False
    """Whether the last forward was not one of the wrapper."""
    unsynced: bool = False
    """Whether the wrapper was told not to average the gradients of the last backward."""
    places: tuple[tuple[str, str, int], ...] = ()
    """Where phases were called last: the phase, file and line; `script` is where the script itself wrote one of the
    parameters."""
