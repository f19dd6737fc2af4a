"""Several training processes in one session: who is which rank, how each begins, and whose edits are whose."""

from __future__ import annotations

import asyncio

from hub.room import Screen, hub_here

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import (
    AddBreakpoint,
    ApplyEdit,
    Breakpoint,
    EditDone,
    EditPreview,
    Leave,
    PreviewEdit,
    Steer,
    UndoEdit,
)
from stepdbg.testing import FakeDebuggee

WEIGHT = "model.fc1.weight"


def states(screen: Screen) -> list[str]:
    return [rank.state for rank in screen.session.ranks]


async def test_a_key_moves_the_rank_that_it_names_and_no_other() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        for rank in (1, 0):
            FakeDebuggee(hub.folder, rank=rank, world=2, updates=10**6, pace=0.001).start()
        await screen.until(lambda s: states(s) == ["paused", "paused"])
        screen.connection.send(Steer("next", 1))
        await screen.until(lambda s: states(s) == ["paused", "paused"] and s.session.ranks[1].stop.boundary.index == 2)
        assert screen.session.ranks[0].stop.boundary.index == 1
        screen.connection.send(Steer("continue", 1))
        await screen.until(lambda s: states(s) == ["paused", "running"])
        screen.connection.send(Steer("pause", 1))
        await screen.until(lambda s: states(s) == ["paused", "paused"])
        assert screen.session.ranks[0].stop.boundary.index == 1


async def test_a_rank_that_is_late_stops_first_whatever_another_was_told() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        FakeDebuggee(hub.folder, rank=0, world=2, updates=10**6, pace=0.001).start()
        await screen.until_state("paused")
        screen.connection.send(Steer("continue", 0))
        await screen.until(lambda s: states(s) == ["running"])
        FakeDebuggee(hub.folder, rank=1, world=2).start()
        await screen.until(lambda s: states(s) == ["running", "paused"])
        screen.connection.send(Steer("continue", 1))
        await screen.until(lambda s: states(s)[1] != "paused" or s.session.ranks[1].stop.reason == "exit")
        FakeDebuggee(hub.folder, rank=2, world=2, updates=10**6, pace=0.001).start()
        await screen.until(lambda s: len(s.session.ranks) == 3)
        assert states(screen)[2] == "running"


async def test_two_that_both_call_themselves_rank_0_are_told_apart_in_every_stop() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        FakeDebuggee(hub.folder).start()
        await screen.until_state("paused")
        second = FakeDebuggee(hub.folder, rank=0)
        for page in hub.folder.glob("page-*-0"):  # as two processes they would have a page each
            page.rename(page.with_name("page-first"))
        second.start()
        await screen.until(lambda s: states(s) == ["paused", "paused"])
        assert [(rank.rank, rank.stop.boundary.rank) for rank in screen.session.ranks] == [(0, 0), (1, 1)]


async def test_a_breakpoint_holds_in_every_rank_and_go_on_lets_all_go() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        fakes = [FakeDebuggee(hub.folder, rank=rank, world=2, updates=5).start() for rank in (0, 1)]
        await screen.until(lambda s: states(s) == ["paused", "paused"])
        screen.connection.send(AddBreakpoint(Breakpoint(0, phase="backward", update=2)))
        for rank in (0, 1):
            screen.connection.send(Steer("continue", rank))
        await screen.until(
            lambda s: states(s) == ["paused", "paused"] and all(r.stop.reason == "breakpoint" for r in s.session.ranks)
        )
        assert [rank.stop.boundary.update for rank in screen.session.ranks] == [2, 2]
        assert screen.session.breakpoints[0].hits == 2
        screen.connection.send(Leave("go on"))
        await screen.connection.close()
        for fake in fakes:
            await asyncio.to_thread(fake.join)


async def test_edits_of_two_ranks_stand_side_by_side_in_the_journal() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        fakes = [FakeDebuggee(hub.folder, rank=rank, world=2).start() for rank in (0, 1)]
        await screen.until(lambda s: states(s) == ["paused", "paused"])
        ask = screen.connection.ask
        before = fakes[0].values(WEIGHT)
        bias, weight = PreviewEdit("model.fc2.bias", "5", (1,)), PreviewEdit(WEIGHT, "old * 1.5", (0, 0))
        numbers = []
        for rank, query in ((0, bias), (1, weight), (0, weight)):
            preview = await ask(query, rank)
            assert isinstance(preview, EditPreview)
            done = await ask(ApplyEdit(preview.token), rank)
            assert isinstance(done, EditDone)
            numbers.append((done.edit.number, done.edit.rank))
        assert numbers == [(1, 0), (2, 1), (3, 0)]
        await screen.until(lambda s: len(s.session.edits) == 3)
        undone = await ask(UndoEdit(), 1)
        assert isinstance(undone, EditDone)
        assert (undone.edit.number, undone.edit.expression) == (2, "old * 1.5")
        await screen.until(lambda s: [edit.undone for edit in s.session.edits] == [False, True, False])
        assert [(edit.rank, edit.expression) for edit in screen.session.edits] == [
            (0, "5"), (1, "old * 1.5"), (0, "old * 1.5"),
        ]  # fmt: skip
        assert fakes[1].values(WEIGHT) == before
        assert fakes[0].values(WEIGHT) != before


async def test_a_breakpoint_of_a_rank_that_there_is_not_is_told_at_once_and_one_that_may_come_is_not_met_yet() -> None:
    async with hub_here(breakpoints=(parse("step on rank 7"), parse("step on rank 1"))) as hub:
        screen = await Screen.open(hub.folder)
        told = lambda s: [(one.problem, one.met_nothing) for one in s.session.breakpoints]  # noqa: E731
        none = "there is no rank 7: this run has ranks 0 and 1"
        assert told(screen) == [("", False), ("", False)]
        first = FakeDebuggee(hub.folder, rank=0, world=2)
        first.start()
        await screen.until(lambda s: told(s) == [(none, False), ("", True)])
        assert screen.notices == [f"before step on rank 7: {none}"]
        second = FakeDebuggee(hub.folder, rank=1, world=2)
        second.start()
        await screen.until(lambda s: len(s.session.ranks) == 2 and told(s) == [(none, False), ("", False)])
        screen.connection.send(AddBreakpoint(parse("after loss on rank 3")))
        await screen.until(lambda s: len(told(s)) == 3 and told(s)[2] == (none.replace("7", "3"), False))
        assert screen.notices[1:] == [f"after loss on rank 3: {none.replace('7', '3')}"]


async def test_a_rank_that_was_not_expected_takes_back_that_there_is_none() -> None:
    """Two trainings side by side both say that they are all there is."""
    async with hub_here(breakpoints=(parse("step on rank 1"),)) as hub:
        screen = await Screen.open(hub.folder)
        FakeDebuggee(hub.folder, rank=0).start()
        problem = lambda s: s.session.breakpoints[0].problem  # noqa: E731
        await screen.until(lambda s: problem(s) == "there is no rank 1: this run has rank 0 alone")
        FakeDebuggee(hub.folder, rank=0).start()
        await screen.until(lambda s: len(s.session.ranks) == 2 and not problem(s))
