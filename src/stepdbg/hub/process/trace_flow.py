"""A trace on its way from the target's processes to the launcher: training slows where the launcher does."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

from stepdbg.hub.process.connections import ClientLink, Link

QUIET_SECONDS = 0.3
"""After the target's exit a trace is whole when its processes have hung up, or been silent for so long."""
GATHERING_SECONDS = 0.01
"""The time for which a traced process is left alone after it has sent something, unless it sends much."""
GATHERED = 1 << 16
"""Bytes from which on what it sends is much."""


class TraceFlow:
    """Passes a trace on.

    Args:
        links: the hub's connections, as they are at any time.
        listening: a task for each process of the target that has not hung up, likewise.
    """

    def __init__(self, links: Set[Link], listening: Set[asyncio.Task[None]]) -> None:
        self._links, self._listening = links, listening
        self._heard = 0
        """How often a process has sent something."""
        self._handing_on = 0
        """How many tasks wait for the launcher to read."""

    async def pass_on(self, process: asyncio.StreamWriter, size: int) -> None:
        """See what a process has sent through to the launcher, and let the process run on for a while.

        Args:
            process: the connection to the process.
            size: bytes that it has sent.
        """
        self._heard += 1
        await self._hand_on()
        if size < GATHERED:
            await _leave_alone(process)

    async def finish(self) -> None:
        """Hear what the target's processes have sent before they ended, and see it through to the launcher."""
        while self._listening:
            heard = self._heard
            await asyncio.wait(self._listening, timeout=QUIET_SECONDS)
            if heard == self._heard and not self._handing_on:
                break
        await self._hand_on()

    async def _hand_on(self) -> None:
        """Wait until the launcher has taken its trace: one that cannot keep up slows training and loses nothing."""
        self._handing_on += 1
        for link in list(self._links):
            if isinstance(link, ClientLink) and link.role == "launcher":
                await link.drain()
        self._handing_on -= 1


async def _leave_alone(process: asyncio.StreamWriter) -> None:
    """Let a traced process run on: what it sends meanwhile waits with the kernel, and is there whatever becomes of it.

    Woken for each line, the hub takes the processor from training that has just sent it.
    """
    transport: Any = process.transport
    transport.pause_reading()
    await asyncio.sleep(GATHERING_SECONDS)
    transport.resume_reading()
