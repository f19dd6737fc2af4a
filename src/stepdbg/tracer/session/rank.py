"""This process as a member of the session: its connection to the hub and its shared page."""

from __future__ import annotations

import multiprocessing.process
import os
import sys
from pathlib import Path

import torch

from stepdbg.protocol import messages as m
from stepdbg.protocol.page import Page
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import HubLost, Link


class Rank:
    """The membership of this process, from its first boundary until the hub is gone."""

    def __init__(self, link: Link, folder: Path) -> None:
        self.link = link
        self.number = 0
        self._folder = folder
        self.page: Page | None = None

    def join(self) -> m.RankWelcome:
        """Enter the session.

        Raises:
            HubLost: there is none to enter, or this is a data loader's worker, which is no rank.
        """
        if torch.utils.data.get_worker_info() is not None:
            raise HubLost("a worker of a data loader does not train")
        self.link.renew()
        self.number, world = _place_among_ranks()
        name = f"page-{os.getpid()}"
        try:
            (self._folder / name).unlink(missing_ok=True)
            self.page = Page(self._folder / name, create=True)
        except OSError as error:
            self.link.say_failed(
                f"process {os.getpid()} trains and cannot be followed: its page in {self._folder} cannot be made "
                f"({error.strerror}); training goes on undebugged"
            )
            raise HubLost(str(error)) from error
        self.link.send(
            m.RankHello(
                version=m.PROTOCOL_VERSION,
                pid=os.getpid(),
                rank=self.number,
                world=world,
                page=name,
                torch=str(torch.__version__),
                python=sys.version.split()[0],
            )
        )
        welcome = self.link.receive()
        if not isinstance(welcome, m.RankWelcome) or welcome.version != m.PROTOCOL_VERSION:
            raise HubLost("the hub speaks another version")
        return welcome

    def begin_anew(self) -> None:
        """Let go of what is the parent's, in a forked child. The child's own connection is made when it joins."""
        self.leave()
        self.link = self.link.anew()

    def say_where(self, phases: PhaseTracker, phase: str, now_ns: int) -> None:
        """Write on the page what runs now."""
        if self.page is None:
            return
        self.page.progress(phases.update, phases.epoch)
        self.page.enter(now_ns, phase)

    def say_found(self, finding: m.Finding) -> None:
        """Tell what a rule has found."""
        self.link.send(m.FindingMet(finding))

    def leave(self) -> None:
        """Leave the session for good."""
        self.link.close()
        if self.page is not None:
            self.page.close()
            self.page = None


def _place_among_ranks() -> tuple[int, int]:
    """This process's rank and how many there are.

    The process group knows, where there is one by now: what `torch.multiprocessing.spawn` starts has no `RANK` in its
    environment. Else it is what a launcher has put there.
    """
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return _number("RANK"), max(1, _number("WORLD_SIZE", 1))


def being_prepared() -> bool:
    """Whether `multiprocessing` still prepares this process: it imports the script, and unpickles what it is to do.

    What calls a model then may be a data loader's worker, which does not know yet that it is one.
    """
    return getattr(multiprocessing.process.current_process(), "_inheriting", False)


def _number(variable: str, default: int = 0) -> int:
    """An environment variable that a launcher sets."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else default
