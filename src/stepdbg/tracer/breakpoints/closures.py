"""A breakpoint before a step with a closure: met once, where the closure has returned."""

from __future__ import annotations

from stepdbg.protocol.messages import Boundary, Breakpoint


class Closures:
    """The closure of the step that is about to begin, and a breakpoint that waits for its end.

    Before the step the gradients are those of the update before; the update happens after the closure.
    """

    def __init__(self) -> None:
        self.ahead = False
        """Whether the step that is about to begin has a closure."""
        self.deferred = False
        """Whether a breakpoint before that step is still to be met."""

    def defer(self, point: Breakpoint, boundary: Boundary) -> bool:
        """Whether a breakpoint that is met at this boundary is to be met elsewhere, or was."""
        if (point.phase, point.when, boundary.next) != ("step", "before", "step"):
            return False
        if self.ahead:
            self.deferred = True
            return True
        deferred, self.deferred = self.deferred, False
        return "step" in boundary.inside and not deferred
