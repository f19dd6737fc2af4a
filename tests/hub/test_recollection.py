"""What was asked at a stop is there afterwards as it was answered, and nothing else is; memory is bounded."""

from __future__ import annotations

from hub.room import Screen, hub_here

from stepdbg.hub.history.answers import NOT_RECORDED, AnswerHistory
from stepdbg.protocol.messages import (
    ApplyEdit,
    Identify,
    Identity,
    ListObjects,
    ListOptimizers,
    ListStops,
    LookAt,
    Objects,
    Optimizers,
    PastStop,
    PreviewEdit,
    ReadPhase,
    ReadStop,
    Recall,
    Refusal,
    Steer,
    Stops,
    Summaries,
    Summarise,
    Summary,
    TensorView,
)
from stepdbg.testing import FakeDebuggee

WEIGHT = "model.fc1.weight"


def view(name: str, version: int) -> TensorView:
    return TensorView(name, "parameter", (2,), "float32", "cpu", 8, True, version)


def test_the_newest_answer_holds_and_figures_are_kept_row_by_row() -> None:
    kept = AnswerHistory()
    kept.keep(3, Summarise(("a", "b")), Summaries((Summary("a", 1.0), Summary("b", 2.0))))
    kept.keep(3, Summarise(("b", "c")), Summaries((Summary("b", 5.0), Summary("c", 3.0))))
    assert kept.recall(3, 1, Summarise(("c", "b", "z"))) == Summaries((Summary("c", 3.0), Summary("b", 5.0)))
    assert kept.recall(4, 1, Summarise(("a",))) == Summaries(())
    assert isinstance(kept.recall(3, 1, ListOptimizers()), Refusal)


def test_a_tensor_is_remembered_as_it_was_looked_at_be_it_another_window() -> None:
    kept = AnswerHistory()
    kept.keep(3, LookAt("w", rows=4, columns=4), view("w", 1))
    kept.keep(3, LookAt("w", row=8, rows=4, columns=4), view("w", 2))
    kept.keep(3, LookAt("w"), view("w", 3))
    assert kept.recall(3, 1, LookAt("w", rows=4, columns=4)).version == 1
    assert kept.recall(3, 1, LookAt("w", row=4, rows=4, columns=4)).version == 2
    assert kept.recall(3, 1, LookAt("w")).version == 3
    assert isinstance(kept.recall(3, 1, LookAt("v")), Refusal)


def test_an_edit_makes_the_answers_before_it_untrue() -> None:
    kept = AnswerHistory()
    kept.keep(3, LookAt("w"), view("w", 1))
    kept.forget(3)
    assert isinstance(kept.recall(3, 1, LookAt("w")), Refusal)


def test_the_tree_of_objects_is_kept_once_for_all_stops_that_share_it() -> None:
    kept = AnswerHistory()
    kept.keep(3, ListObjects(), Objects(1, ()))
    kept.keep(9, ListObjects(), Objects(2, ()))
    assert [kept.recall(7, registry, ListObjects()) for registry in (1, 2)] == [Objects(1, ()), Objects(2, ())]


def test_the_oldest_answers_give_way_when_there_are_too_many_bytes() -> None:
    kept = AnswerHistory(most_bytes=20_000)
    for boundary in range(1, 1_000):
        kept.keep(boundary, LookAt("w"), view("w", boundary))
    known = [n for n in range(1, 1_000) if not isinstance(kept.recall(n, 1, LookAt("w")), Refusal)]
    assert known == list(range(known[0], 1_000))
    assert 20 < len(known) < 900


async def test_the_hub_answers_for_the_past_whatever_the_rank_does() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder, updates=10**6, pace=0.001).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        seen: dict[int, TensorView] = {}
        for phase in ("zero_grad", "forward", "loss", "backward", "step"):
            screen.connection.send(Steer("next"))
            await screen.until_next(phase)
            if phase in ("forward", "step"):
                seen[screen.stop.boundary.index] = await screen.connection.ask(LookAt(WEIGHT, rows=2, columns=2))
        owners = await screen.connection.ask(Identify(WEIGHT))
        assert isinstance(owners, Identity)
        at_step = screen.stop
        screen.connection.send(Steer("continue"))
        await screen.until_state("running")

        stops = await screen.connection.ask(ListStops())
        assert isinstance(stops, Stops)
        assert [tick.next for tick in stops.ticks] == ["data", "zero_grad", "forward", "loss", "backward", "step"]
        index = at_step.boundary.index
        assert await screen.connection.ask(ReadStop(index)) == PastStop(at_step)
        assert await screen.connection.ask(ReadPhase(1, "backward")) == PastStop(at_step)
        assert isinstance(await screen.connection.ask(ReadPhase(1, "backward", 2)), Refusal)
        assert isinstance(await screen.connection.ask(ReadStop(10**6)), Refusal)
        for boundary, known in seen.items():
            assert await screen.connection.ask(Recall(boundary, LookAt(WEIGHT, rows=2, columns=2))) == known
        assert await screen.connection.ask(Recall(index, Identify(WEIGHT))) == owners
        assert isinstance(await screen.connection.ask(Recall(index - 1, LookAt(WEIGHT))), Refusal)

        debuggee.vanish()
        await screen.until(lambda s: s.session.ranks[0].state in ("lost", "exited"))
        assert await screen.connection.ask(ReadStop(index)) == PastStop(at_step)


async def test_what_was_asked_before_an_edit_is_not_shown_as_if_it_were_so_after_it() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        ask = screen.connection.ask
        index = screen.stop.boundary.index
        assert isinstance(await ask(LookAt(WEIGHT)), TensorView)
        assert isinstance(await ask(ListOptimizers()), Optimizers)
        preview = await ask(PreviewEdit(WEIGHT, "old*2"))
        await ask(ApplyEdit(preview.token))
        assert isinstance(await ask(Recall(index, LookAt(WEIGHT))), Refusal)
        now = await ask(LookAt(WEIGHT))
        assert await ask(Recall(index, LookAt(WEIGHT))) == now


def test_rows_are_recalled_by_filter_and_order_and_of_a_moving_question_only_where_it_was_asked() -> None:
    kept = AnswerHistory()
    tree, named = ListObjects(base="auto", count=30), ListObjects("fc1", base="auto", count=30)
    moving = ListObjects("changed", base="auto", count=30)
    kept.keep(3, tree, Objects(1, (), first=0, total=90))
    kept.keep(3, named, Objects(1, (), first=0, total=2))
    kept.keep(3, moving, Objects(1, (), first=0, total=5, moves=True))
    scrolled = ListObjects(base="auto", first=60, count=30)
    assert kept.recall(4, 1, scrolled) == Objects(1, (), first=0, total=90)
    assert kept.recall(4, 1, named) == Objects(1, (), first=0, total=2)
    assert kept.recall(3, 1, moving) == Objects(1, (), first=0, total=5, moves=True)
    assert kept.recall(4, 1, moving) == Refusal(NOT_RECORDED)
    assert kept.recall(4, 2, tree) == Refusal(NOT_RECORDED)
