"""Keys typed ahead of what they are for: of an answer that is under way, or of the stop that a step leads to."""

from __future__ import annotations

from typing import Protocol

from stepdbg.protocol.messages import Notice
from stepdbg.tui.actions.action import ActionContext, applicable
from stepdbg.tui.actions.why_not import why_nothing
from stepdbg.tui.drawing.pace import TYPED_AHEAD
from stepdbg.tui.panel_base.panel import Panel

STEPS = ("next", "into", "operator", "finish")
"""Actions, and orders to the hub, that lead to a stop soon."""


class Waited(Protocol):
    """The conversation with the hub, as far as a key waits for it."""

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""

    @property
    def underway(self) -> bool:
        """Whether the stop that a step leads to is still to come."""

    async def idle(self, seconds: float) -> None:
        """Wait until the answers are there."""

    async def stands(self, seconds: float) -> bool:
        """Wait for the stop; whether it has come."""

    def receive(self, message: Notice) -> None:
        """Show a notice."""


class TypedAhead:
    """Has a key wait for what it is for, but no longer than a second."""

    def __init__(self, hub: Waited) -> None:
        self._hub = hub
        self._given_up = False
        """Whether a key has waited for the next stop in vain: those behind it do not wait again."""

    async def of_a_stop(self, key: str, here: ActionContext) -> bool:
        """Wait for the stop that the step before leads to, where the key would do nothing before that or have training
        go on from there; whether the key is to be handed on.
        """
        hub = self._hub
        if not hub.underway or here.snapshot.past_at is not None:
            self._given_up = False
            return True
        steps = not here.typing and any(
            key in action.keys and action.id in (*STEPS, "continue") for action in here.actions
        )
        if not steps and applicable(key, here) is not None:
            return True
        if await hub.stands(0 if self._given_up else TYPED_AHEAD):
            self._given_up = False
            return True
        if steps and not self._given_up:
            self._given_up = True
            pause = here.snapshot.key("pause")
            dropped = f"{here.snapshot.key('next')} and the like, typed ahead of a stop, wait a second for it"
            hub.receive(Notice(f"{dropped}; it has not come, so they are dropped ({pause} pauses training)", "warning"))
        return not steps

    async def of_answers(self, key: str, here: ActionContext, panel: Panel | None) -> bool:
        """Wait for answers, where the row under the cursor is to come with them, or what would have the key do anything
        at all; whether it has waited.
        """
        if not self._hub.busy or not here.snapshot.paused:
            return False
        if (panel is not None and panel.to_come()) or (applicable(key, here) is None and why_nothing(key, here)):
            await self._hub.idle(TYPED_AHEAD)
            return True
        return False
