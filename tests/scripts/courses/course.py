"""What a table of courses says of a program, and the phases that many of them run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Course:
    """What is known of a program's run."""

    updates: list[str]
    """The phases of each update from the first, as `running.course` writes them."""
    names: set[str] = field(default_factory=set)
    """Objects and optimizers that go by these names."""
    losses: list[str] = field(default_factory=lambda: ["loss"])
    """What `backward` was called on, in the order of their first appearance."""
    epochs: list[int | None] = field(default_factory=lambda: [None])
    """Through which the run goes."""
    lines: dict[str, str] = field(default_factory=dict)
    """The user's line before the first phase of that name."""
    effects: dict[str, set[str]] = field(default_factory=dict)
    """Objects that the first phase of that name affects, among others."""
    status: int = 0
    notices: tuple[str, ...] = ()
    """Parts of what the user is told while stepping."""


PLAIN = "zero_grad forward loss backward step"
FED = "data zero_grad forward loss backward step"
CLOSURE = "step>zero_grad step>forward step>loss step>backward step>step"
