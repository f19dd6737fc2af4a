"""Watches at the hub: every client sees the same, a late one all of it; a restart keeps them."""

from __future__ import annotations

import asyncio

import pytest
from harness.deadline import deadline
from hub.room import Screen, hub_here, real_hub

from stepdbg.hub.history.watches import WatchHistory
from stepdbg.hub.watches.table import WatchTable
from stepdbg.protocol.messages import (
    AddWatch,
    RemoveWatch,
    Restart,
    Steer,
    SwitchWatch,
    Watch,
    WatchPoint,
    WatchPoints,
)
from stepdbg.testing import FakeDebuggee


def points(screen: Screen) -> list[tuple[int, int, float]]:
    """Update, watch and value of all points that a client was told of."""
    return [
        (point.update, point.watch, point.value)
        for message in screen.heard
        if isinstance(message, WatchPoints)
        for point in message.points
    ]


async def test_a_watch_set_by_one_screen_is_seen_by_all_and_read_at_the_stop_at_once() -> None:
    async with hub_here() as hub:
        one, other = await Screen.open(hub.folder), await Screen.open(hub.folder)
        FakeDebuggee(hub.folder, updates=5).start()
        await one.until_next("data")
        one.connection.send(AddWatch(" update "))
        for screen in (one, other):
            session = await screen.until(lambda s: s.session.ranks and s.stop and s.stop.watched)
            assert session.watches == (Watch(1, "update"),)
            assert [(value.watch, value.value) for value in screen.stop.watched] == [(1, 1.0)]
        other.connection.send(Steer("continue"))
        for screen in (one, other):
            await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exit")
            assert points(screen) == [(update, 1, float(update)) for update in range(1, 6)]
        late = await Screen.open(hub.folder)
        await late.until(points)
        assert points(late) == points(one)
        late.connection.send(RemoveWatch(1))
        await one.until(lambda s: not s.session.watches)
        assert hub.session.ranks[0].watched.points == ()


async def test_a_faulty_expression_is_refused_with_the_reason_and_the_same_one_is_watched_once() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        for text in ("loss +", "loss = 3", " ", "loss", "loss"):
            screen.connection.send(AddWatch(text))
        screen.connection.send(SwitchWatch(1, False))
        await screen.until(lambda s: s.session.watches == (Watch(1, "loss", enabled=False),))
        assert [notice.partition(":")[0] for notice in screen.notices] == [
            "the watch 'loss +' is no expression of Python",
            "the watch 'loss = 3' is no expression of Python",
            'there is nothing to watch; write for example `acc`, `grad_norm()`, `ratio("model.fc1.weight")`',
        ]
        assert screen.notices[1].endswith("; a watch only reads, without =")


async def test_a_restart_keeps_the_watches_and_begins_their_history_anew() -> None:
    async with real_hub("-m", "stepdbg.testing", "3", watches=(Watch(0, "update"),)) as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        screen.connection.send(Steer("finish"))
        await screen.until(lambda s: s.stop.boundary.opens == 2)
        assert points(screen) == [(1, 1, 1.0)]
        screen.connection.send(Restart())
        await screen.until(lambda s: s.session.run == 2 and s.session.state == "paused")
        assert screen.session.watches == (Watch(1, "update"),)
        late = await Screen.open(folder)
        await late.until_next("data")
        assert points(late) == []
        assert [value.value for value in late.stop.watched] == [1.0]


def test_each_watch_keeps_its_own_history_when_there_are_many_points() -> None:
    history = WatchHistory(most=8)
    for update in range(40):
        history.extend(WatchPoint(update, watch, float(update)) for watch in (1, 2))
    found = history.points
    assert {point.watch for point in found} == {1, 2}
    assert len(found) <= 16
    assert {(point.update, point.watch) for point in found} >= {(0, 1), (39, 1), (0, 2), (39, 2)}


def test_numbers_are_never_given_twice_and_what_was_wrong_is_forgotten_when_switched_on() -> None:
    table = WatchTable((Watch(0, "a"), Watch(0, "a"), Watch(0, "b")))
    assert [watch.number for watch in table.all] == [1, 2]
    table.failed(2, "it did not end", off=True)
    assert table.all[1] == Watch(2, "b", enabled=False, problem="it did not end")
    assert table.add("b") == ""
    assert table.all[1] == Watch(2, "b")
    table.remove(2)
    table.add("c")
    assert [watch.number for watch in table.all] == [1, 3]


async def test_what_takes_too_long_where_training_waits_is_interrupted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = asyncio.Event()
    monkeypatch.setattr("stepdbg.hub.session.run.interrupt", lambda rank: interrupted.set())
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        fake = FakeDebuggee(hub.folder, updates=5).start()
        await screen.until_next("data")
        fake._page.evaluating(1)  # since the machine was started
        async with asyncio.timeout(deadline(10)):
            await interrupted.wait()
