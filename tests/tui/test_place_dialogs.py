"""Places to stop, as they are typed into a dialog: one that there is not is taken at the second enter only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from harness.deadline import deadline
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from tui.stage import stage

from stepdbg.protocol.breakpoint_text import describe, destination, parse
from stepdbg.protocol.messages import AddBreakpoint, BreakpointChecked, CheckBreakpoint
from stepdbg.tui.dialogs.breakpoint import BreakpointDialog
from stepdbg.tui.dialogs.place import PlaceDialog, Surroundings
from stepdbg.tui.dialogs.run_to import RunToDialog
from stepdbg.tui.drawing.lines import Glyphs


async def checked(query: Any) -> BreakpointChecked:
    """What a training process answers that knows the phases of the textbook, and `train.py` of 20 lines."""
    assert isinstance(query, CheckBreakpoint)
    point = parse(query.text)
    unknown = "no phase is called bakward yet; did you mean backward?" if point.phase == "bakward" else ""
    problem = "line 1000 of train.py has no code" if point.line == 1000 else ""
    problem = problem or ("there is no loss yet" if point.condition == "loss > 2" else "")
    return BreakpointChecked(describe(point), unknown=unknown, problem=problem)


AROUND = Surroundings(checked, ("forward", "ema"), (0,), 1)
NOT_ASKED = AROUND._replace(ask=None)


@asynccontextmanager
async def opened(dialog: PlaceDialog[Any]) -> AsyncIterator[tuple[Pilot[None], list[Any]]]:
    answers: list[Any] = []
    async with App[None]().run_test() as pilot, asyncio.timeout(deadline(20)):
        pilot.app.push_screen(dialog, answers.append)
        await pilot.pause()
        yield pilot, answers


def said(dialog: PlaceDialog[Any]) -> tuple[str, str]:
    return tuple(str(dialog.query_one(name, Static).content) for name in ("#check", "#problem"))  # type: ignore[return-value]


async def done(pilot: Pilot[None], dialog: PlaceDialog[Any]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete([one for one in pilot.app.workers if one.node is dialog])
    await pilot.pause()


def breakpoint_dialog(around: Surroundings) -> BreakpointDialog:
    return BreakpointDialog("step", (), 3, Glyphs(), around)


def run_to_dialog(around: Surroundings) -> RunToDialog:
    return RunToDialog("", lambda: (3, None), Glyphs(), around)


BAKWARD = "no phase is called bakward yet; did you mean backward?"
DOUBTED = {
    "a phase that there is not": (AROUND, "bakward", BAKWARD),
    "the same while training runs": (NOT_ASKED, "bakward", BAKWARD),
    "a line without code": (AROUND, "train.py:1000", "line 1000 of train.py has no code"),
    "a rank that there is not": (AROUND, "step on rank 7", "there is no rank 7: this run has rank 0 alone"),
    "the same while training runs too": (NOT_ASKED, "loss on rank 7", "there is no rank 7: this run has rank 0 alone"),
}


@pytest.mark.parametrize(("make", "again"), [(breakpoint_dialog, "sets it"), (run_to_dialog, "runs there")])
@pytest.mark.parametrize("name", DOUBTED)
async def test_a_place_that_there_is_not_is_taken_at_the_second_enter(
    name: str, make: Callable[[Surroundings], PlaceDialog[Any]], again: str
) -> None:
    around, typed, why = DOUBTED[name]
    dialog = make(around)
    async with opened(dialog) as (pilot, answers):
        dialog.query_one(Input).focus()
        await pilot.press(*typed)
        await done(pilot, dialog)
        assert said(dialog)[1] == why
        await pilot.press("enter")
        await done(pilot, dialog)
        assert said(dialog)[1] == f"{why}; enter again {again} all the same"
        assert not answers
        await pilot.press("backspace", typed[-1], "enter")
        await done(pilot, dialog)
        assert not answers
        await pilot.press("enter")
        await pilot.pause()
        wanted = AddBreakpoint(parse(typed)) if make is breakpoint_dialog else destination(typed, 3)
        assert answers == [wanted]


@pytest.mark.parametrize("around", [AROUND, NOT_ASKED], ids=["asked", "not asked"])
@pytest.mark.parametrize(
    "typed", ["backward if loss > 2", "ema", "train.py:12", "update 40", "nan", "gradient of net.weight"]
)
async def test_a_place_that_may_be_is_taken_at_once_though_its_condition_cannot_be_evaluated_here(
    typed: str, around: Surroundings
) -> None:
    dialog = breakpoint_dialog(around)
    async with opened(dialog) as (pilot, answers):
        dialog.query_one(Input).focus()
        dialog.query_one(Input).value = typed
        await pilot.press("enter")
        await done(pilot, dialog)
        assert answers == [AddBreakpoint(parse(typed))]


async def test_up_and_down_choose_the_line_while_the_field_is_typed_in() -> None:
    dialog = breakpoint_dialog(AROUND)
    async with opened(dialog) as (pilot, answers):
        await pilot.press(*"if loss > 2")
        assert said(dialog)[0].startswith("before step if loss > 2")
        await pilot.press("down")
        assert dialog.query_one(OptionList).highlighted == 1
        await done(pilot, dialog)
        assert said(dialog) == ("after step if loss > 2", "here: there is no loss yet")
        await pilot.press("enter")
        await done(pilot, dialog)
        assert answers == [AddBreakpoint(parse("after step if loss > 2"))]


async def test_what_is_pasted_goes_to_the_field_whatever_has_the_focus() -> None:
    dialog = breakpoint_dialog(AROUND)
    async with opened(dialog) as (pilot, answers):
        pilot.app.post_message(events.Paste("if loss > 2\nand more"))
        await pilot.pause()
        await done(pilot, dialog)
        pilot.app.post_message(events.Paste("2"))
        await pilot.pause()
        await done(pilot, dialog)
        await pilot.press("enter")
        await done(pilot, dialog)
        assert answers == [AddBreakpoint(parse("before step if loss > 22"))]


async def test_what_cannot_go_with_the_first_nan_is_said_while_it_is_written() -> None:
    dialog = breakpoint_dialog(AROUND)
    alone = "only `on rank R` and `once` go with the first NaN; up and down choose another line"
    async with opened(dialog) as (pilot, answers):
        await pilot.press("down", "down")
        for typed, problem in (("on", ""), ("on rank 0", ""), ("if loss > 2", alone), ("loss > 2", alone)):
            dialog.query_one(Input).value = typed
            await done(pilot, dialog)
            assert said(dialog)[1] == problem, typed
        await pilot.press("enter")
        await done(pilot, dialog)
        assert said(dialog) == ("", alone)
        assert not answers


async def test_what_is_typed_after_enter_waits_for_what_comes_of_it() -> None:
    async with stage(updates=3) as here:
        await here.press("b", *"bakward", "enter", "enter", "n")
        await here.until(lambda: here.app.snapshot.stop.boundary.done is not None, "a step")  # type: ignore[union-attr]
        assert [describe(one) for one in here.app.snapshot.session.breakpoints] == ["before bakward"]
