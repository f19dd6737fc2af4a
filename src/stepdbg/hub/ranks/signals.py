"""Signals to the target's own processes, as those have named themselves when they were born."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

from stepdbg.hub.ranks.rank import Rank

_log = logging.getLogger("stepdbg.hub")


def show_stacks(births: Iterable[dict[str, Any]], ranks: Iterable[Rank]) -> bool:
    """Have the training processes write their stacks to the output, or, before there is one, all that were born.

    Only a process that has said by which signal is sent one, since any other would die of it.

    Returns:
        Whether there was any.
    """
    training = {rank.hello.pid for rank in ranks if rank.peer is not None}
    shown = False
    for birth in births:
        pid, number = birth.get("pid"), birth.get("stack_signal")
        if isinstance(number, int) and (not training or pid in training):
            shown |= signal_processes([pid], number)
    return shown


def interrupt(rank: Rank) -> bool:
    """Interrupt what the console has a process evaluate, if it has said by which signal; whether it got one.

    A handler of ours takes it, which does nothing when nothing is evaluated.
    """
    return bool(rank.interrupt_signal) and signal_processes([rank.hello.pid], rank.interrupt_signal)


def signal_processes(pids: Iterable[object], number: int) -> bool:
    """Send a signal to each of these; whether any got it."""
    reached = False
    for pid in pids:
        if not isinstance(pid, int) or pid <= 1:
            continue
        try:
            os.kill(pid, number)
            reached = True
        except OSError as error:
            _log.info("cannot signal process %d: %s", pid, error)
    return reached
