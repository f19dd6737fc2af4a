"""Running to somewhere: what the screen says of it while training runs, and where it is paused on its way."""

from __future__ import annotations

import pytest
from tui.stage import stage

from stepdbg.protocol.breakpoint_text import destination, goal_words
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, RemoveBreakpoint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("400", "update 400"),
        ("epoch 3", "epoch 3"),
        ("step of opt", "step of opt"),
        ("after step", "after step"),
        ("train.py:48", "train.py:48"),
        ("loss < 0.1", "backward if loss < 0.1"),
        ("2101-02-03 14:30", "14:30:00"),
    ],
)
def test_a_goal_is_called_what_was_typed_or_what_that_means(text: str, words: str) -> None:
    assert goal_words(destination(text, 7)) == words


async def test_paused_on_the_way_the_goal_is_said_and_one_key_goes_on_and_another_drops_it() -> None:
    async with stage(updates=1_000_000, pace=0.002) as here:
        await here.step()
        await here.press("t")
        await here.press(*"4000", "enter")
        await here.until(lambda: here.app.snapshot.state == "running", "training that runs")
        await here.until_seen("training runs to update 4000; press p")
        assert "X drop" in here.footer
        await here.press("p")
        await here.until(lambda: here.app.snapshot.paused, "a pause")
        await here.until_seen("on the way to update 4000 (c goes on, X drops it). ")
        await here.press("c")
        await here.until_seen("training runs to update 4000; press p")
        await here.press("p")
        await here.until_seen("on the way to update 4000")
        await here.press("X")
        await here.until(lambda: not here.app.snapshot.session.breakpoints, "no breakpoint")
        await here.until(lambda: "on the way" not in here.text, "no goal")
        await here.until(lambda: "X drop" not in here.footer, "the footer")
        assert here.app.snapshot.paused


async def test_a_goal_takes_the_place_of_the_one_before_and_no_breakpoint_takes_that_of_a_goal() -> None:
    async with stage() as here:
        hub = here.app.hub
        hub.send(AddBreakpoint(Breakpoint(0, "step")))
        for text in ("300", "400", "step"):
            hub.send(AddBreakpoint(destination(text, 1)))
        goals = lambda: [(one.goal, one.once) for one in here.app.snapshot.session.breakpoints]  # noqa: E731
        await here.until(lambda: goals() == [(False, False), (True, True)], "one goal")
        await here.until_seen("on the way to step (c goes on")
        hub.send(RemoveBreakpoint(here.app.snapshot.session.breakpoints[1].number))
        await here.until(lambda: goals() == [(False, False)], "the breakpoint")


async def test_a_goal_is_not_looked_for_in_the_past_nor_at_the_end() -> None:
    async with stage(updates=1) as here:
        await here.step()
        await here.step()
        here.app.hub.send(AddBreakpoint(destination("4000", 1)))
        await here.until_seen("on the way to update 4000")
        await here.press("[")
        await here.until(lambda: here.app.snapshot.past_at is not None, "the past")
        await here.until(lambda: "on the way" not in here.text, "a sentence of the past")
        await here.until(lambda: "X drop" not in here.footer, "the footer")
        await here.press("]", "c")
        await here.until_seen("at the end of the script")
        await here.until(lambda: "on the way" not in here.text and "X drop" not in here.footer, "the end")
        await here.until_seen("never came to update 4000. ")
        await here.press("8")
        await here.until_seen("update 4000 once  never met")
