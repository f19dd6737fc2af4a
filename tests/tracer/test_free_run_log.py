"""Phases that are only noted come to the same phases, losses and page as those that are looked at one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepdbg.protocol.page import Page
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import Link
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.sources.free_run import FreeRunLog


class Call(NamedTuple):
    """A call of torch's, at the level of the script."""

    name: str
    optimizer: int | None = None


FORWARD = (Call("forward"), Call("loss"))
CALLS = st.sampled_from(
    [
        (Call("data"),), FORWARD, (*FORWARD, Call("backward")), (Call("zero_grad", 1),), (Call("zero_grad", 2),),
        (Call("zero_grad"),), (Call("step", 1),), (Call("step", 2),), (Call("scheduler", 1),), (Call("clip"),),
        (Call("backward"),),
    ]
)  # fmt: skip
UPDATES = st.lists(CALLS, min_size=1, max_size=8).map(lambda calls: list(itertools.chain(*calls)))
RUNS = st.lists(st.tuples(UPDATES, st.integers(1, 9)), min_size=1, max_size=4).map(
    lambda parts: [call for update, times in parts for call in update * times]
)


_NUMBERS = itertools.count()


class Side:
    """The phases of a process, and what it writes."""

    def __init__(self, folder: Path) -> None:
        self.phases = PhaseTracker()
        self.phases.optimizers.required = {1}
        rank = Rank(cast("Link", None), folder)
        rank.page = self.page = Page(folder / f"page-{next(_NUMBERS)}", create=True)
        self.losses = Losses(self.phases, rank)
        self.free_run = FreeRunLog(self.phases, Registry(), rank, self.losses)
        self.free_run.arm(0)

    def seen(self) -> object:
        """All that anybody can see of the process."""
        phases, optimizers = self.phases, self.phases.optimizers
        lists = [
            [(phase.name, phase.began_ns, phase.ended_ns, phase.update, phase.loss) for phase in done]
            for done in (phases.done, phases.before)
        ]
        open_now = phases.running and phases.running.name
        return (
            phases.index, phases.update, phases.loss, open_now, optimizers.stepped, optimizers.required, lists,
            self.page.losses_since(0), self.page.status().update,
        )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pages lie."""
    return tmp_path_factory.mktemp("pages")


LATE = [Call("step", 2)] + [*FORWARD, Call("backward"), Call("step", 1), Call("zero_grad", 2)] * 5
"""The order of its updates is known only after the third."""


@given(run=RUNS, pauses=st.sets(st.integers(0, 200)))
@example(run=LATE, pauses=set())
def test_it_does_not_matter_how_many_phases_go_by_before_somebody_looks(
    run: list[Call], pauses: set[int], folder: Path
) -> None:
    one, many = Side(folder), Side(folder)
    for side, looked_at in ((one, set(range(len(run)))), (many, pauses)):
        clock = itertools.count(1)
        for number, call in enumerate(run):
            note(side.free_run, call, clock)
            if number in looked_at:
                side.free_run.replay()
        side.free_run.replay()
    assert many.seen() == one.seen()
    for side in (one, many):
        side.page.close()


def test_a_call_that_is_looked_at_while_it_is_open_is_open_for_the_tracker(tmp_path: Path) -> None:
    side = Side(tmp_path)
    side.free_run.notes += ("forward", None, 5)
    side.free_run.open = "forward"
    side.free_run.replay()
    assert side.phases.inside == ("forward",)
    assert side.free_run.phase is side.phases.open
    side.page.close()


def test_a_loss_that_no_backward_follows_is_taken_back_as_the_next_forward_begins(tmp_path: Path) -> None:
    side = Side(tmp_path)
    side.free_run.notes += ("forward", None, 5, 6, "loss", None, 6, 0)
    assert side.free_run.takes_back_loss()
    assert not side.free_run.takes_back_loss()
    side.free_run.notes += ("forward", None, 7, 8)
    side.free_run.replay()
    assert (side.phases.index, [phase.name for phase in side.phases.done]) == (2, ["forward", "forward"])
    side.page.close()


def note(log: FreeRunLog, call: Call, clock: Iterator[int]) -> None:
    """As `FreeRunLog.enter` and `Tracer.end` do."""
    key: int | str | None = call.optimizer
    if call.name == "backward":
        key = "loss"
        log.losses.append(float(next(clock)))
    log.notes += (call.name, key, next(clock), 0 if call.name == "loss" else next(clock))
