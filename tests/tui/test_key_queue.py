"""Keys that come in one read of the terminal, as over a slow link: each acts as if typed after the one before."""

from __future__ import annotations

import asyncio

import pytest
from textual._xterm_parser import XTermParser
from textual.widgets import Input, OptionList
from tui.stage import SIZES, Stage, stage

from stepdbg.protocol.messages import Query, Result, Steer
from stepdbg.tui.actions import key_queue, typed_ahead
from stepdbg.tui.actions.action import Action
from stepdbg.tui.dialogs.breakpoint import BreakpointDialog
from stepdbg.tui.dialogs.edit import EditDialog
from stepdbg.tui.state.selection import Editable

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def burst(here: Stage, typed: str) -> None:
    """Bytes of the terminal, read at once: parsed and posted as Textual's driver does it."""
    driver = here.app._driver
    assert driver is not None
    for event in XTermParser().feed(typed):
        driver.process_message(event)


@both_sizes
async def test_a_filter_is_typed_from_any_panel_and_what_follows_it_is_a_key_again(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("forward")
        await here.press("3")
        before = here.app.snapshot.boundary
        burst(here, "/fc2 biasn\x7f\rn")
        await here.until(lambda: here.app.snapshot.boundary > before, "the step")
        assert "/ fc2 bias" in here.panel("model").text()
        assert here.panel("model").chosen() == "model.fc2.bias"
        assert here.app.snapshot.boundary == before + 1, "a letter that was typed has stepped"


async def test_a_key_behind_the_end_of_a_filter_is_none_of_its_letters() -> None:
    async with stage() as here:
        await here.press("1", "slash")
        burst(here, "fc2\r2")
        await here.until(lambda: here.app.panel_layout.current == "tensor", "the Tensor panel")
        assert "/ fc2 " in here.panel("model").text()
        assert "fc22" not in here.panel("model").text()


@both_sizes
async def test_a_place_is_jumped_to_and_the_dialog_is_left_before_the_next_key(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        burst(here, "@1, 1\rz")
        await here.until(lambda: here.app.panel_layout.zoomed or size[0] < 100, "the zoom")
        await here.until(lambda: here.tensor.editable().element == (1, 1), "the cursor on [1, 1]")
        assert len(here.app.screen_stack) == 1


@both_sizes
async def test_commands_of_the_console_follow_each_other(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        before = here.app.snapshot.boundary
        burst(here, "!epoch + 41\r")
        await here.until(lambda: "\n 42" in here.panel("console").text(), "the value")
        burst(here, "epoch + 61\rn = 1")
        await here.until(lambda: "\n 62" in here.panel("console").text(), "the next one")
        await here.until(lambda: here.panel("console").input.text == "n = 1", "what is typed behind it")
        assert here.app.snapshot.boundary == before


async def test_an_edit_is_previewed_and_made_before_the_key_behind_it_acts() -> None:
    async with stage() as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        before = here.app.snapshot.boundary
        burst(here, "eold*0+12.5\r\rn")
        await here.until(lambda: here.app.snapshot.boundary == before + 1, "the step")
        assert [(edit.index, edit.expression) for edit in here.app.snapshot.session.edits] == [((0, 0), "old*0+12.5")]


async def test_a_tensor_is_opened_jumped_in_and_edited_before_the_first_of_its_numbers_has_come() -> None:
    async with stage() as here:
        await here.press("1")
        before = here.app.snapshot.boundary
        burst(here, "/fc2 bias\r\r@1\re5\r\rn")
        await here.until(lambda: here.app.snapshot.boundary == before + 1, "the step")
        (edit,) = here.app.snapshot.session.edits
        assert (edit.object, edit.index, edit.expression) == ("model.fc2.bias", (1,), "5")


async def test_a_command_is_found_in_the_palette_and_done() -> None:
    async with stage() as here:
        burst(here, "\x10break\r\x1b[B")
        await here.until(lambda: isinstance(here.app.screen, BreakpointDialog), "the dialog that the command opens")
        await here.until(lambda: here.app.screen.query_one(OptionList).highlighted == 1, "the key behind it, in there")


async def test_what_is_pasted_behind_the_key_that_opens_the_filter_is_in_the_filter() -> None:
    async with stage() as here:
        await here.press("3")
        burst(here, "/\x1b[200~fc2 bias\x1b[201~\r")
        await here.until(lambda: not here.panel("model").typing and "/ fc2 bias" in here.panel("model").text(), "it")


async def never(_: Query) -> Result:
    """No answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def asked_in_vain(here: Stage, typed: str = "5\r") -> EditDialog:
    """The dialog of an edit, whose preview does not come; what is typed behind enter comes in the same read."""
    await here.press("2")
    await here.until(lambda: here.tensor.editable(), "the numbers")
    here.app.push_screen(
        dialog := EditDialog(Editable("model.fc1.weight", (0, 0)), never, lambda: None, here.app.glyphs)
    )
    burst(here, typed)
    await here.until(lambda: any(worker.node is dialog for worker in here.app.workers), "the question")
    return dialog


async def test_a_dialog_that_gets_no_answer_is_left_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_queue, "PATIENCE", 1_000)
    async with stage() as here:
        await asked_in_vain(here)
        await here.press("escape")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the dialog's end")


async def test_keys_do_not_wait_for_ever_behind_a_question_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_queue, "PATIENCE", 0.05)
    async with stage() as here:
        dialog = await asked_in_vain(here)
        burst(here, "67")
        await here.until(lambda: dialog.query_one("#expression", Input).value == "567", "the letters behind it")


async def test_a_click_does_not_wait_behind_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_queue, "PATIENCE", 1_000)
    async with stage((160, 50)) as here:
        dialog = await asked_in_vain(here, "5\r6")
        await here.click_on("part of it")
        await here.until(lambda: here.app.mouse_position != (0, 0), "the mouse")
        assert dialog.query_one("#expression", Input).value == "5", "the letter waits"


async def test_a_key_alone_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that it asks for is asked for before anything is sent after the key; the next key finds it done with."""
    async with stage() as here:
        turns, do = here.app.key_queue, here.app.do
        hops: list[int] = []

        async def watched(action: Action) -> None:
            hops.append(turns.hops)
            await do(action)

        monkeypatch.setattr(here.app, "do", watched)
        for _ in range(3):
            await here.until(lambda: turns.idle, "the end of what the key before did")
            before = turns.hops
            burst(here, "n")
            await here.until(lambda: len(hops) > 0, "the step")
            assert hops.pop() == before


async def test_steps_typed_in_one_piece_are_all_done() -> None:
    async with stage() as here:
        before = here.app.snapshot.boundary
        burst(here, "nnnn")
        await here.until(lambda: here.app.snapshot.paused and here.app.snapshot.boundary == before + 4, "four steps")


async def test_steps_typed_ahead_of_a_stop_that_does_not_come_are_dropped_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typed_ahead, "TYPED_AHEAD", 0.05)
    told: list[str] = []
    async with stage() as here:
        monkeypatch.setattr(here.app, "notify", lambda words, **_: told.append(words))
        connection = here.app.hub.connection
        assert connection is not None
        asked: list[object] = []
        monkeypatch.setattr(connection, "send", asked.append)  # nothing that is asked for happens
        burst(here, "nnn")
        await here.until(lambda: here.app.key_queue.idle and bool(told), "a word")
        assert len(told) == 1
        assert told[0].startswith("n and the like, typed ahead of a stop, wait a second for it; it has not come")
        assert [one for one in asked if isinstance(one, Steer)] == [Steer("next", 0)]


async def test_a_rank_that_is_looked_at_does_not_wait_for_another_s_stop() -> None:
    async with stage() as here:
        hub = here.app.hub
        hub.send(Steer("next", 0))
        assert hub.underway
        hub.look_at_rank(1)
        assert not hub.underway
