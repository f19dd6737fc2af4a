"""Editing on the screen: slices, elements of tuples, entries of the state, variables, and the choice with autograd."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from tui.stage import Stage, stage

from stepdbg.tui.state.selection import Editable

SIZES = pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 50)])


async def typed(here: Stage, words: str) -> None:
    """Type into the field that has the focus, and press enter."""
    names = {" ": "space", "[": "left_square_bracket", "]": "right_square_bracket", ":": "colon", "*": "asterisk"}
    await here.press(*(names.get(letter, letter) for letter in words), "enter")


@SIZES
async def test_a_slice_is_typed_into_the_field_of_the_part(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("1", "e")
        await here.until_seen("part of it", "enter: preview")
        await here.press("tab")
        await typed(here, "[:2]")
        await here.press("shift+tab")
        await typed(here, "0.5")
        await here.until_seen("model.fc1.weight[:2]  =", "→", "enter: do it")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit")
        assert here.app.snapshot.session.edits[0].where == "[:2]"
        assert here.fake.values("model.fc1.weight")[:25].count(0.5) == 24
        await here.press("8")
        await here.until_seen("[:2]", "1 edit")
        await here.press("x")
        await here.until_seen("undone")


@SIZES
async def test_what_autograd_has_saved_is_edited_in_one_of_two_ways(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        for under in (False, True):
            before = here.app.snapshot.session.edits
            await here.press("1", "e")
            await here.until_seen("enter: preview")
            await typed(here, "0.5")
            await here.until_seen("through the tensor: backward refuses", "under autograd's feet: backward goes on")
            if under:
                await here.press("tab", "tab", "down")
                assert here.app.screen.focused.id == "ways"
            await here.press("enter")
            await here.until(lambda before=before: here.app.snapshot.session.edits != before, "the edit")
            assert here.app.snapshot.session.edits[-1].under == under


async def test_each_cell_of_the_state_table_can_be_edited_by_key_and_mouse() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        await here.step()
        await here.press("4", "z")
        await here.until_seen("exp_avg_sq", "model.fc2.bias")
        panel = here.panel("optimizer")
        await here.press("end")
        for name in ("model.fc2.bias", "model.fc2.bias.grad", "optimizer.state[model.fc2.bias].step"):
            assert panel.editable().object == name
            await here.press("right")
        await here.press("right", "right", "right")
        assert panel.editable().object == "optimizer.state[model.fc2.bias].exp_avg_sq"
        await here.press("e")
        await here.until_seen("exp_avg_sq  =")
        await typed(here, "old*2")
        await here.until_seen("enter: do it")
        await here.press("escape")
        await here.click_on("model.fc1.bias")
        await here.until(lambda: panel.editable().object == "model.fc1.bias", "the cell that was clicked")


async def test_a_variable_of_the_frame_is_bound_anew() -> None:
    async with stage((80, 24)) as here:
        await here.step_to("zero_grad")
        await here.press("6", "L")
        panel = here.panel("source")
        await here.until(lambda: "epoch" in here.text and panel.editable(), "the variables")
        await here.press("end")
        for _ in range(20):
            if panel.editable().object == "epoch":
                break
            await here.press("up")
        assert panel.editable() == Editable("epoch", sliceable=False, frame=0)
        await here.press("e")
        await here.until_seen("epoch  =")
        assert "part of it" not in here.text
        await typed(here, "old+41")
        await here.until_seen("1  →  42", "enter: do it")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit")
        await here.press("x")
        await here.until(lambda: here.app.snapshot.session.edits[0].undone, "the edit undone")


def read_only() -> AbstractAsyncContextManager[Stage]:
    return stage((100, 30), readonly=True)


async def test_read_only_no_key_edits_anything_anywhere_and_the_foresight_is_there_all_the_same() -> None:
    async with read_only() as here:
        await here.step_to("step")
        for panel, keys in (("1", ()), ("2", ()), ("4", ("end",)), ("6", ("L",))):
            await here.press(panel, *keys)
            await here.press("e", "E", "x")
            await here.pilot.pause()
            assert len(here.app.screen_stack) == 1
        await here.press("4", "W")
        await here.until_seen("together")


@SIZES
async def test_a_gradient_that_is_none_is_made_in_the_state_table_and_undone(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("forward")
        await here.press("4", "z")
        await here.until_seen("model.fc2.bias")
        await here.press("end", "right", "e")
        await here.until_seen("model.fc2.bias.grad  =", "value is its parameter")
        assert "part of it" not in here.text
        await typed(here, "value*2")
        await here.until_seen("None  →  4, ", "mean", "enter: do it")
        bias = here.fake.values("model.fc2.bias")
        grad = lambda: here.fake.values("model.fc2.bias.grad")  # noqa: E731
        assert grad() is None
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit")
        assert grad() == [2 * number for number in bias]
        await here.press("x")
        await here.until(lambda: here.app.snapshot.session.edits[0].undone, "the edit undone")
        assert grad() is None


@SIZES
async def test_a_gradient_is_freed_and_made_in_the_tensor_panel_and_comes_back_itself(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("1", "enter", "2", "z")
        grad = lambda: here.fake.values("model.fc1.weight.grad")  # noqa: E731
        before = grad()
        panel = here.panel("tensor")
        panel.show_part("grad")
        await here.until(lambda: panel.editable() and panel.editable().object == "model.fc1.weight.grad", "the grad")
        await here.press("E")
        await here.until_seen("model.fc1.weight.grad")
        await typed(here, "None")
        await here.until_seen("→  None")
        await here.press("enter")
        await here.until_seen("grad is None; e makes one")
        assert grad() is None
        await here.press("e")
        await here.until_seen("value is its parameter")
        await typed(here, "0.5")
        await here.until_seen("None  →")
        await here.press("enter")
        await here.until_seen("0.5000")
        assert set(grad()) == {0.5}
        await here.press("x")
        await here.until_seen("grad is None; e makes one")
        await here.press("x")
        await here.until(lambda: grad() == before, "the gradient")
        await here.until(lambda: panel.editable() and not panel.editable().missing, "its numbers")


async def test_the_gradient_that_is_looked_at_stays_so_while_zero_grad_has_freed_it() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        await here.press("1", "enter", "2")
        panel = here.panel("tensor")
        panel.show_part("grad")
        await here.until(lambda: panel.editable() and panel.editable().object == "model.fc1.weight.grad", "the grad")
        await here.step_to("forward")
        await here.until_seen("grad is None; e makes one")
        await here.step_to("step")
        await here.until(lambda: panel.editable() and panel.editable().element == (0, 0), "the new gradient")
        assert panel.part == "grad"
