"""The Effects panel under a pilot: over the cells, to the names, to the tensor and its owners, by keys and by mouse."""

from __future__ import annotations

from typing import cast

import pytest
from tui.stage import SIZES, Stage, stage

from stepdbg.tui.actions.action import applicable
from stepdbg.tui.panels.effects.panel import EffectsPanel

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def panel(here: Stage) -> EffectsPanel:
    return cast("EffectsPanel", here.panel("effects"))


@both_sizes
async def test_enter_leads_from_a_count_to_its_names_to_the_tensor_and_escape_back(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("3")
        await here.until(lambda: "backward" in panel(here).text(), "the matrix")
        assert panel(here).kind == "grad"
        await here.press("enter")
        await here.until(lambda: "+ model.fc1.weight.grad" in panel(here).text(), "the names")
        assert panel(here).text().count(".grad") == 4
        await here.press("down", "escape")
        assert panel(here).view == "matrix"
        await here.press("enter", "down", "enter")
        assert here.app.panel_layout.focused_name() == "tensor"
        assert here.tensor.object == "model.fc1.bias.grad"


@both_sizes
async def test_the_names_of_an_earlier_phase_and_of_the_last_update_come_from_the_hub(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("3", "up", "up")
        await here.until(lambda: "called `model`" in panel(here).text(), "the sentence of forward")
        await here.press("right", "enter")
        await here.until(lambda: "* model.norm.running_mean" in panel(here).text(), "the buffers")
        await here.press("escape")
        await here.step()
        await here.step_to("backward")
        await here.press("down", "down")
        await here.until(lambda: "the last time step changed" in panel(here).text(), "the foretold sentence")
        await here.press(*["left"] * 8, "enter")
        await here.until(lambda: "* model.fc2.bias" in panel(here).text(), "the parameters of the update before")
        assert "step last time" in panel(here).text()


async def test_a_key_ahead_of_the_first_drawing_moves_from_the_phase_just_done() -> None:
    async with stage() as here:
        await here.step_to("step")
        effects, snapshot = panel(here), here.app.seen
        effects.total = effects.cursor = 0  # as before it is drawn for the first time
        effects.snapshot_changed(None, snapshot)
        effects.move(-2)
        assert effects.cursor == 2  # forward, two above backward


@both_sizes
async def test_a_from_the_model_shows_one_tensor_and_its_two_owners(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("a")
        text = panel(here).text
        await here.until(lambda: "ONE tensor, 2 owners" in text(), "the owners")
        assert "┌─ model.fc1.weight" in text()
        assert '["params"][0]' in text()
        assert "None until the next" in text()
        await here.step()
        await here.until(lambda: ".grad  " in text() and "None until the next" not in text(), "the gradient on it")
        await here.press("escape")
        assert here.app.panel_layout.focused_name() == "model"
        assert panel(here).view == "matrix"


@both_sizes
async def test_escape_leads_from_the_owners_to_the_list_that_they_were_asked_from(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("3", "enter", "down", "a")
        await here.until(lambda: "┌─ model.fc1.bias" in panel(here).text(), "the owners")
        await here.press("escape")
        await here.until(lambda: "+ model.fc1.weight.grad" in panel(here).text(), "the list")
        assert panel(here).chosen() == "model.fc1.bias.grad"
        await here.press("escape")
        assert panel(here).view == "matrix"


@both_sizes
async def test_the_key_of_the_panel_shows_the_matrix_and_no_owners_of_long_ago(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("a")
        await here.until(lambda: panel(here).view == "identity", "the owners")
        await here.press("1")
        await here.step()
        await here.press("3")
        assert panel(here).view == "matrix"
        assert here.app.panel_layout.focused_name() == "effects"


async def test_in_the_matrix_the_tensor_at_hand_is_behind_the_count_under_the_cursor() -> None:
    async with stage() as here:
        await here.step_to("step")
        await here.press("3", "up", "up", "right")  # forward, the buffers
        await here.until(lambda: panel(here).tensor_at_hand() == "model.norm.running_mean", "the buffer's name")
        await here.press("a")
        await here.until(lambda: "┌─ model.norm.running_mean" in panel(here).text(), "its owners")


@both_sizes
async def test_enter_opens_the_nearest_count_of_the_row_where_there_is_none_under_the_cursor(
    size: tuple[int, int],
) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("3", *["right"] * 8)
        assert panel(here).kind == "batch"
        await here.press("enter")
        await here.until(lambda: "+ model.fc1.weight.grad" in panel(here).text(), "the names")


async def test_the_cell_under_the_cursor_has_a_sign() -> None:
    async with stage(ascii_only=True) as here:
        await here.step_to("step")
        await here.press("3")
        await here.until(lambda: ">+4" in panel(here).text(), "the sign")
        await here.press("left")
        assert ">+4" not in panel(here).text()
        assert ">." in panel(here).text()


async def test_owners_are_offered_of_a_past_stop_only_where_they_were_asked_for() -> None:
    async with stage((120, 24)) as here:
        await here.step_to("backward")
        await here.press("a")
        await here.until(lambda: "ONE tensor" in panel(here).text(), "the owners")
        await here.press("escape")
        await here.step()
        await here.step()
        await here.press("left_square_bracket")
        await here.until(lambda: "PAST" in here.text and not here.app.hub.questions.busy, "a stop without them")
        assert "a owners" not in here.footer
        assert applicable("a", here.app.action_context()) is None
        await here.press("left_square_bracket")
        await here.until(lambda: "a owners" in here.footer, "one with them")
        await here.press("a")
        await here.until(lambda: "ONE tensor" in panel(here).text(), "the owners of then")


async def test_where_there_is_room_the_owners_stand_below_the_matrix() -> None:
    async with stage((120, 50)) as here:
        await here.step_to("step")
        await here.press("3", "z")
        await here.until(lambda: "ONE tensor" in panel(here).text(), "the owners")
        assert "✓ backward" in panel(here).text()
        await here.press("enter")
        await here.until(lambda: "+ model.fc1.weight.grad" in panel(here).text(), "the names")
        await here.press("down", "down", "a")
        await here.until(lambda: "┌─ model.fc2.weight" in panel(here).text(), "the other tensor's owners")
        assert "✓ backward" in panel(here).text()


async def test_clicks_select_a_cell_list_its_names_and_open_what_hangs_on_a_tensor() -> None:
    async with stage() as here:
        await here.step_to("step")
        await here.click_on("3Effects")
        await here.until_seen("✓ forward", "*2")
        await here.click_on("*2")
        assert (panel(here).kind, panel(here).cursor) == ("buffer", 2)
        for y, line in enumerate(here.text.splitlines()):
            if "*2" in line:
                await here.pilot.click(offset=(line.index("*2"), y), times=2)
                break
        await here.until_seen("* model.norm.running_mean", "esc back")
        await here.click_on("esc back")
        await here.until_seen("✓ forward", "a owners")
        await here.click_on("+4")
        await here.click_on("a owners")
        await here.until_seen("ONE tensor", "├─ .grad")
        await here.click_on("├─ .grad")
        await here.until(lambda: here.app.panel_layout.focused_name() == "tensor", "the tensor panel")
        assert here.tensor.object == "model.fc1.weight.grad"


async def test_keys_and_palette_offer_what_applies_and_nothing_else() -> None:
    async with stage() as here:
        await here.press("3")
        assert applicable("escape", here.app.action_context()).id == "leave_panel"
        assert applicable("enter", here.app.action_context()).id == "names"
        await here.press("enter")
        assert applicable("escape", here.app.action_context()).id == "back"
        assert applicable("a", here.app.action_context()) is None  # a list with nothing in it
        await here.press("escape", "4")
        assert applicable("escape", here.app.action_context()).id == "leave_panel"
        assert "esc back" not in here.footer  # nothing was opened here
        names = [command.title for command in here.app.get_system_commands(here.app.screen)]
        assert "Effects (3)" in names
