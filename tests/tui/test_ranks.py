"""Several ranks: each is listed under the header, r shows and steers the next one, and everything follows."""

from __future__ import annotations

import msgspec
import pytest
from tui.builders import KEYS, at, shown, stop_after, widest
from tui.stage import SIZES, stage

from stepdbg.protocol.messages import (
    Failure,
    LossPoint,
    LossPoints,
    Progress,
    RankState,
    SessionChanged,
    SessionState,
)
from stepdbg.tui.actions.action import ActionContext, applicable
from stepdbg.tui.actions.help_dialog import help_text
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.actions.why_not import why_nothing
from stepdbg.tui.drawing.lines import ASCII, text
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot, looking_at, next_rank
from stepdbg.tui.top import header, ranks
from stepdbg.tui.top.session_sentence import session_sentence

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def session(*states: str, first: str = "paused") -> SessionState:
    """A session of that many ranks; those that are paused have done different phases."""
    done = ("forward", "loss", "backward", "zero_grad")
    members = tuple(
        RankState(number, 4711 + number, state, stop_after(done[number % 4]), ("loss",))  # type: ignore[arg-type]
        for number, state in enumerate((first, *states))
    )
    return msgspec.structs.replace(at(stop_after("forward")).session, ranks=members)


def progress(rank: int, phase: str, seconds: float = 0.0) -> Progress:
    return Progress(rank, phase, seconds, 7, 1, 0.25, 30.0)


def test_one_rank_has_no_line_of_its_own_and_r_does_nothing() -> None:
    assert not ranks.several(at(stop_after("loss")))


def test_every_rank_is_listed_with_what_it_is_in_and_the_one_that_is_shown() -> None:
    snapshot = reduced(Snapshot(session("running", "exited", "running"), keys=KEYS), progress(1, "backward", 14.2))
    assert text(ranks.draw(snapshot, 100)) == (
        " ranks ›0 paused before loss · 1 running in backward for 14 s · 2 exited · 3 running"
    )
    assert text(header.draw(snapshot, 80, 0.0)).startswith(" mnist.py  rank 0 PAUSED before loss")


def test_ranks_in_the_same_state_stand_together() -> None:
    snapshot = Snapshot(session(*["running"] * 7), keys=KEYS)
    for rank in range(1, 8):
        snapshot = reduced(snapshot, progress(rank, "backward", float(rank)))
    assert text(ranks.draw(snapshot, 80)) == " ranks ›0 paused before loss · 1-7 running in backward for 7 s"


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 81, 160])
@pytest.mark.parametrize("glyphs", [header.UNICODE, ASCII], ids=["unicode", "ascii"])
def test_no_width_overflows_however_mixed_the_ranks_are(width: int, glyphs: object) -> None:
    snapshot = Snapshot(session("running", "paused", "exited", "running", "paused", "lost", "running"), keys=KEYS)
    for rank, phase in ((1, "backward"), (4, "forward"), (7, "zero_grad")):
        snapshot = reduced(snapshot, progress(rank, phase, 100.0))
    lines = [ranks.draw(snapshot, width, glyphs), header.draw(snapshot, width, 0.0, glyphs)]  # type: ignore[arg-type]
    assert widest(lines) <= width
    if width >= 80:
        for word in ("›0" if glyphs is header.UNICODE else ">0", "1 4 7 running", "2 5 paused", "3 exited", "6 lost"):
            assert word in shown(lines)


def test_a_rank_that_runs_while_others_are_paused_is_explained_in_two_lines_of_80() -> None:
    snapshot = Snapshot(session("paused", first="running"), keys=KEYS)
    words = session_sentence(snapshot)
    assert "rank 0 runs, rank 1 is paused" in words
    assert "waits for all" in words
    assert len(words) <= 150
    many = session_sentence(Snapshot(session("paused", "running", "paused", first="running"), keys=KEYS))
    assert "ranks 1 and 3 are paused" in many


def test_a_rank_that_waits_on_an_exception_is_said_to() -> None:
    snapshot = Snapshot(session("paused", first="running"), keys=KEYS)
    failed = msgspec.structs.replace(stop_after("data"), reason="exception", failure=Failure("RuntimeError", "no", ""))
    first, other = snapshot.session.ranks
    members = (first, msgspec.structs.replace(other, stop=failed))
    words = session_sentence(Snapshot(msgspec.structs.replace(snapshot.session, ranks=members), keys=KEYS))
    assert words.startswith("rank 0 runs, rank 1 is paused on RuntimeError; a collective call")
    assert len(words) <= 160


def test_a_pause_that_is_asked_for_is_said_until_training_stops() -> None:
    asked = session("running", first="running")
    members = (msgspec.structs.replace(asked.ranks[0], pausing=True), asked.ranks[1])
    snapshot = Snapshot(msgspec.structs.replace(asked, ranks=members), keys=KEYS)
    assert session_sentence(snapshot) == (
        "training pauses at the next boundary between two phases; press p again to see where it hangs"
    )
    assert session_sentence(looking_at(snapshot, 1)).startswith("training runs; press p to pause it")


def test_before_the_first_rank_r_does_not_say_that_there_is_only_one() -> None:
    starting = at(None, "starting")
    assert (
        why_nothing("r", ActionContext(starting, "model", actions=ACTIONS))
        == "r: no rank has come to its first phase yet"
    )
    assert (
        why_nothing("r", ActionContext(at(stop_after("data")), "model", actions=ACTIONS)) == "r: there is only one rank"
    )


def test_a_rank_that_has_ended_says_that_others_have_not() -> None:
    snapshot = Snapshot(session("paused", first="exited"), keys=KEYS)
    assert not snapshot.over
    assert "rank 0 has ended, others have not" in session_sentence(snapshot)
    assert Snapshot(session("exited", first="exited"), keys=KEYS).over


def test_losses_and_progress_follow_the_rank_and_are_there_again() -> None:
    snapshot = Snapshot(session("running"), keys=KEYS)
    for rank, value in ((0, 1.0), (1, 2.0), (0, 1.5)):
        snapshot = reduced(snapshot, LossPoints(rank, ("loss",), (LossPoint(1, 0, value),)))
    snapshot = reduced(snapshot, progress(1, "forward"))
    other = looking_at(snapshot, 1)
    assert [point.value for point in other.losses[0].points] == [2.0]
    assert other.progress is not None
    assert other.progress.phase == "forward"
    back = looking_at(other, 0)
    assert [point.value for point in back.losses[0].points] == [1.0, 1.5]
    assert back.progress is None


def test_r_goes_through_the_ranks_in_order_and_wraps() -> None:
    snapshot = Snapshot(session("running", "paused"), keys=KEYS)
    seen = []
    for _ in range(4):
        snapshot = looking_at(snapshot, next_rank(snapshot))
        seen.append(snapshot.rank)
    assert seen == [1, 2, 0, 1]


def test_the_lowest_rank_is_shown_until_the_user_has_chosen() -> None:
    members = session("paused", "paused").ranks
    early = msgspec.structs.replace(session(), ranks=members[1:])
    snapshot = reduced(Snapshot(SessionState("s", "s", "s", "starting")), SessionChanged(early))
    assert snapshot.rank == 1
    whole = SessionChanged(msgspec.structs.replace(early, ranks=members))
    assert reduced(snapshot, whole).rank == 0
    assert reduced(msgspec.structs.replace(snapshot, chosen=True), whole).rank == 1


@both_sizes
async def test_r_shows_the_next_rank_and_n_steps_it_alone(size: tuple[int, int]) -> None:
    async with stage(size, ranks=2) as here:
        await here.until_seen("ranks ›0 paused before data · 1 paused before data")
        await here.step()
        await here.until_seen("ranks ›0 paused before zero_grad · 1 paused before data")
        await here.press("r")
        await here.until_seen("ranks 0 paused before zero_grad · ›1 paused before data", "rank 1 PAUSED before data")
        await here.step()
        await here.step()
        await here.until_seen("ranks 0 paused before zero_grad · ›1 paused before forward")
        await here.press("r")
        await here.until_seen("rank 0 PAUSED before zero_grad")
        await here.press("r")
        await here.until_seen("rank 1 PAUSED before forward")
        assert "r next rank" in here.footer
        assert "Ranks: every training process" in help_text(here.app.action_context())


async def test_a_rank_is_chosen_by_a_click_and_the_other_runs_on() -> None:
    async with stage(ranks=2, updates=10**6, pace=0.002) as here:
        await here.press("c")
        await here.until_seen("1 paused before data", "rank 0 RUNNING", "rank 0 runs, rank 1 is paused")
        while here.app.snapshot.rank != 1:  # the words before it change as rank 0 runs: a click may come beside it
            await here.click_on("1 paused")
        await here.until_seen("›1 paused before data", "rank 1 PAUSED before data")
        await here.until(lambda: here.app.snapshot.of_rank(0).losses, "losses of the rank that runs")
        assert here.app.snapshot.losses == ()
        await here.step()
        assert here.app.snapshot.session.ranks[0].state == "running"
        await here.press("r", "p")
        await here.until(lambda: here.app.snapshot.rank == 0 and here.app.snapshot.paused, "a pause of rank 0")
        assert here.app.snapshot.losses
        assert [rank.state for rank in here.app.snapshot.session.ranks] == ["paused", "paused"]


async def test_the_panels_show_the_tensors_of_the_rank_that_was_chosen() -> None:
    async with stage(ranks=2) as here:
        await here.step_to("step")
        await here.step()
        ratios = dict(here.app.snapshot.summaries)
        assert any(row.update_ratio for row in ratios.values())
        await here.press("r")
        await here.until(
            lambda: here.app.snapshot.rank == 1 and here.app.snapshot.answer(OBJECTS) and here.app.snapshot.summaries,
            "the figures of rank 1",
        )
        assert not any(row.update_ratio for row in here.app.snapshot.summaries.values())
        await here.press("r")
        await here.until(lambda: here.app.snapshot.summaries == ratios, "the figures of rank 0")


async def test_edits_of_one_rank_are_undone_in_that_rank_only() -> None:
    async with stage(ranks=2) as here:
        await here.until(lambda: applicable("e", here.app.action_context()), "something to edit under the cursor")
        await here.press("e")
        await here.until(lambda: len(here.app.screen_stack) > 1, "the edit dialog")
        await here.press(*"old*2", "enter")
        await here.until_seen("→")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit in the journal")
        assert applicable("x", here.app.action_context()) is not None
        await here.press("r")
        await here.until_seen("rank 1 PAUSED")
        assert applicable("x", here.app.action_context()) is None
