"""Looking back under a pilot: every stop is there as it was, marked as past, and nothing in it can be changed."""

from __future__ import annotations

import msgspec
import pytest
from tui.builders import at, stop_after
from tui.stage import SIZES, Stage, stage

from stepdbg.protocol.messages import Optimizers, PastStop, RankState, Refusal
from stepdbg.tui.actions.action import applicable
from stepdbg.tui.panels.optimizer.view import OPTIMIZERS
from stepdbg.tui.state.answers import PAST_STOP, Arrived
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot, looking_at, looking_at_stop

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


async def look(here: Stage, key: str, *words: str) -> None:
    """Press `[` or `]` and wait until these words are on the screen."""
    await here.press({"[": "left_square_bracket", "]": "right_square_bracket"}[key])
    await here.until_seen(*words)
    await here.until(lambda: here.app.hub.questions and not here.app.hub.questions.busy, "the answers")


@both_sizes
async def test_earlier_stops_are_shown_as_they_were_and_training_stays_where_it_is(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.until(lambda: "2.185" in here.panel("model").text(), "the figures")
        figures = here.panel("model").text().splitlines()[1:]
        await here.step_to("step")
        await here.step()
        now = here.app.snapshot.boundary
        await look(here, "[", "PAST", "before step", "] goes back to now")
        assert "backward walked the graph" in here.text
        await look(here, "[", "before backward", "esc now")
        assert here.hub.session.ranks[0].stop.boundary.index == now
        for _ in range(3):
            await here.press("left_square_bracket")
        await here.until_seen("PAST", "before zero_grad")
        await look(here, "[", "before data", "nothing is done yet")
        await here.until(lambda: here.panel("model").text().splitlines()[1:] == figures, "the figures of then")
        assert "past" in here.panel("model").text().splitlines()[0]
        await here.press("escape")
        await here.until(lambda: here.app.snapshot.past_at is None and "PAUSED" in here.text, "now")
        assert here.app.snapshot.boundary == now


@both_sizes
async def test_figures_of_the_past_are_those_of_then_and_what_nobody_asked_for_says_so(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.step_to("zero_grad")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        before = here.tensor.text().splitlines()[2:]
        if size[0] < 100:  # where the panel is not in front it asks for nothing
            await here.press("8")
        await here.step_to("step")
        await here.step()
        await here.press("2")
        await here.until(lambda: here.tensor.text().splitlines()[2:] != before, "the numbers after the step")
        if size[0] < 100:
            await look(here, "[", "PAST", "not recorded")
        while here.app.snapshot.past_at != 2:
            await here.press("left_square_bracket")
        await here.until(lambda: here.tensor.text().splitlines()[2:] == before, "the numbers of then")


@both_sizes
async def test_the_past_cannot_be_edited_and_keys_that_steer_move_in_it(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("forward")
        now = here.app.snapshot.boundary
        await here.press("1")
        await look(here, "[", "PAST")
        situation = here.app.action_context()
        assert all(applicable(key, situation) is None for key in ("e", "E", "x"))
        assert "e edit" not in here.footer
        assert "] later" in here.footer
        await look(here, "[", "before data")
        await here.press("n")
        await here.until_seen("PAST", "before zero_grad", "n moves among the stops of the past")
        assert here.app.snapshot.boundary == now, "nothing was stepped"
        await here.press("n")
        await here.until_seen("PAUSED before forward", "this is now again: from here n steers training")
        assert here.app.snapshot.boundary == now
        await here.step("n")
        await here.until_seen("PAUSED before loss")


async def test_the_past_is_gone_through_by_updates_and_breakpoints_too() -> None:
    async with stage() as here:
        for _ in range(3):
            await here.step("f")
        now = here.app.snapshot.boundary
        updates = [tick.update for tick in here.app.snapshot.stops]
        for _ in range(3):
            await here.press("left_square_bracket")
        await here.until(lambda: here.app.seen.looking_back, "the past")
        seen = []
        for _ in range(4):
            await here.press("f")
            if here.app.snapshot.past_at is None:
                break
            seen.append(here.app.snapshot.past_at)
        assert seen == sorted(set(seen))
        assert len(seen) == len(set(updates)) - 2
        await here.press("left_square_bracket", "c")
        assert here.app.snapshot.past_at is None, "no breakpoint was met: on to now"
        assert here.app.snapshot.boundary == now


@both_sizes
async def test_escape_leads_back_the_way_one_came_and_then_out_of_the_past(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("forward")
        focused = here.app.panel_layout.focused_name
        await here.press("1", "enter")
        await here.until(lambda: focused() == "tensor", "the tensor")
        await here.press("6", "escape")
        assert focused() == "tensor"
        await look(here, "[", "PAST")
        await here.press("1", "enter")
        assert focused() == "tensor"
        await here.press("escape")
        assert (focused(), here.app.snapshot.past_at is not None) == ("model", True)
        await here.press("escape")
        await here.until(lambda: here.app.snapshot.past_at is None, "now")
        for key, there in (("B", "tensor"), ("W", "optimizer"), ("a", "effects")):
            await here.press("1", key)
            assert focused() == there
            await here.press("escape")
            assert focused() == "model", key
        await here.press("0", "escape")
        assert focused() == "model"


async def test_the_source_and_the_matrix_follow_into_the_past_and_the_cursor_stays() -> None:
    async with stage((160, 50)) as here:
        await here.step_to("step")
        await here.press("1", "end", "up")
        cursor = here.panel("model").cursor
        line = here.panel("source").text().splitlines()[0]
        await look(here, "[", "PAST")
        assert here.panel("model").cursor == cursor
        assert "▶ backward" in here.panel("effects").text()
        await here.until(lambda: here.panel("source").text().splitlines()[0] != line, "the line of then")
        await look(here, "]", "PAUSED before step")
        assert here.panel("model").cursor == cursor


async def test_a_click_on_the_strip_looks_at_that_stop_and_one_on_its_end_at_now() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        await here.until_seen("stops │1·····▶")
        await here.click_on("│1··", start=False)
        await here.until_seen("PAST", "[·]", "now")
        await here.click_on("▶ now")
        await here.until_seen("PAUSED before step")


async def test_the_past_is_there_while_training_runs_and_after_its_end() -> None:
    async with stage(updates=100_000, pace=0.002) as here:
        await here.step_to("loss")
        await here.press("c")
        await here.until_seen("RUNNING")
        await look(here, "[", "PAST", "before forward")
        assert here.hub.session.state == "running"
        here.fake.vanish()
        await here.until(lambda: here.app.snapshot.state in ("lost", "exited"), "the end")
        await look(here, "[", "PAST", "before zero_grad")
        await here.press("escape")
        await here.until(lambda: "EXITED" in here.text or "LOST" in here.text, "now")


async def test_a_screen_that_comes_later_knows_the_stops_before_it() -> None:
    from stepdbg.tui.app import StepdbgApp

    async with stage() as here:
        await here.step_to("backward")
        app = StepdbgApp(here.hub.folder)
        async with app.run_test(size=(80, 24)) as pilot:
            late = Stage(app, pilot, here.hub, here.fake)
            await late.until(lambda: len(app.snapshot.stops) == 5, "the stops")
            await look(late, "[", "PAST", "before loss")


PAST_OPTIMIZERS = msgspec.structs.replace(OPTIMIZERS, past=True)


def looking_back(boundary: int) -> Snapshot:
    """A snapshot at the stop after step, that looks at the one after backward."""
    then = stop_after("backward")
    assert then.boundary.index == boundary
    snapshot = looking_at_stop(at(stop_after("step")), boundary)
    return reduced(snapshot, Arrived(PAST_STOP, boundary, PastStop(then)))


def test_answers_about_a_stop_that_is_looked_at_no_more_change_nothing() -> None:
    snapshot = looking_back(257)
    assert snapshot.seen.looking_back
    assert snapshot.seen.stop == stop_after("backward")
    assert reduced(snapshot, Arrived(PAST_OPTIMIZERS, 256, Optimizers(()))) is snapshot
    there = reduced(snapshot, Arrived(PAST_OPTIMIZERS, 257, Optimizers(())))
    assert there.seen.answer(OPTIMIZERS) == Optimizers(())
    assert there.answer(OPTIMIZERS) is None
    assert looking_at_stop(there, None).seen.answer(OPTIMIZERS) is None


def test_a_stop_that_has_given_way_leads_back_to_now() -> None:
    snapshot = reduced(looking_at_stop(looking_back(257), 3), Arrived(PAST_STOP, 3, Refusal("gone")))
    assert snapshot.past_at is None
    assert snapshot.seen is snapshot


def test_another_rank_is_shown_as_it_is_now() -> None:
    snapshot = looking_back(257)
    ranks = (*snapshot.session.ranks, RankState(1, 4712, "paused", stop_after("loss"), ("loss",)))
    snapshot = msgspec.structs.replace(snapshot, session=msgspec.structs.replace(snapshot.session, ranks=ranks))
    other = looking_at(snapshot, 1)
    assert not other.seen.looking_back
    assert other.seen.stop == stop_after("loss")
    assert not looking_at(other, 0).seen.looking_back


async def test_a_stop_that_was_left_is_seen_again_when_it_is_come_back_to() -> None:
    async with stage() as here:
        await here.step_to("forward")
        for _ in range(2):
            await look(here, "[", "PAST", "before zero_grad")
            assert here.app.seen.looking_back
            await here.press("escape")
            await here.until(lambda: here.app.snapshot.past_at is None and "PAST" not in here.text, "now")
