"""The Tensor panel's before and change, slices, jumps and marks, driven by keys, mouse and palette on the real app."""

from __future__ import annotations

import math

import pytest
from tui.stage import SIZES, Stage, stage

from stepdbg.errors import ConditionError
from stepdbg.protocol.messages import ApplyEdit, Condition, EditPreview, PreviewEdit
from stepdbg.tui.panels.tensor.conditions import ODD, holds, parsed
from stepdbg.tui.panels.tensor.slots import BESIDE, TENSOR


def test_conditions_are_read_as_people_write_them() -> None:
    assert parsed("nan") == parsed(" inf ") == ODD
    assert parsed("> 0.5") == Condition(low=math.nextafter(0.5, 1))
    assert parsed("<= -1e-3") == Condition(high=-1e-3)
    assert parsed("-1..1") == Condition(-1, 1)
    assert parsed("outside -1 .. 1") == Condition(-1, 1, outside=True)
    assert parsed("!= 0") == Condition(0, 0, outside=True)
    assert not holds(parsed("> 0.5"), 0.5)
    assert not holds(parsed("!= 0"), math.nan)
    assert holds(ODD, -math.inf)
    for words in ("", "x", "1..", "2..1", "> nan"):
        with pytest.raises(ConditionError):
            parsed(words)


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_before_the_step_and_what_it_changed_are_shown(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        here.app.handlers.opening.open("model.fc1.weight")
        await here.until_seen("norm")
        assert "before" not in here.panel("tensor").text()
        assert here.fake is not None
        before = here.fake.values("model.fc1.weight")
        await here.step()
        await here.until_seen("[now] before", "step changed all")
        now = here.fake.values("model.fc1.weight")
        await here.press("D")
        await here.until(lambda: here.app.snapshot.answer(TENSOR).side == "before", "what was before")
        await here.until_seen("[before]")
        assert here.tensor.editable() is None
        await here.click_on(" change ")
        await here.until(lambda: here.app.snapshot.answer(TENSOR).side == "change", "the difference")
        row = here.app.snapshot.answer(TENSOR).window
        from stepdbg.tui.panels.tensor.view import numbers

        assert numbers(row)[0] == pytest.approx(now[0] - before[0])
        await here.press("D")
        await here.until_seen("[now]")


@pytest.mark.parametrize("size", SIZES)
async def test_one_goes_to_an_element_and_cuts_a_slice(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        here.app.handlers.opening.open("model.fc1.weight")
        await here.until_seen("[0, 0]")
        await here.press("at", *"[99, 0]", "enter")
        await here.until_seen("index 99 lies outside of dimension 0, which has 16")
        await here.press(*["backspace"] * 7, *"[-1, 3]", "enter")
        await here.until_seen("[15, 3]")
        await here.press("at", *"[1::2, :5]", "enter")
        await here.until(lambda: here.app.snapshot.answer(TENSOR).where == "[1::2, :5]", "the slice")
        await here.until_seen("[1, 0]")
        await here.press("right", "down")
        await here.until_seen("[3, 1]")
        assert here.tensor.editable().element == (3, 1)
        await here.press("at", *["backspace"] * 10, "enter")
        await here.until(lambda: here.app.snapshot.answer(TENSOR).where == "", "the whole")


async def edit(here: Stage, expression: str, index: tuple[int, int]) -> None:
    """Change an element of the first weight."""
    done = len(here.app.snapshot.session.edits)
    preview = await here.app.hub.connection.ask(PreviewEdit("model.fc1.weight", expression, index), 0)
    assert isinstance(preview, EditPreview), preview
    await here.app.hub.connection.ask(ApplyEdit(preview.token), 0)
    await here.until(lambda: len(here.app.snapshot.session.edits) > done, "the edit")
    here.app.hub.questions.forget()


async def test_elements_are_marked_and_gone_to_one_after_the_other() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        await edit(here, "float('nan')", (2, 6))
        await edit(here, "float('inf')", (8, 4))
        here.app.handlers.opening.open("model.fc1.weight")
        await here.until(lambda: here.app.snapshot.answer(TENSOR).statistics.nan == 1, "the NaN")
        await here.press("greater_than_sign")
        await here.until_seen("[2, 6]")
        await here.press("greater_than_sign")
        await here.until_seen("[8, 4]")
        await here.press("greater_than_sign")
        await here.until_seen("[2, 6]")
        await here.press("less_than_sign")
        await here.until_seen("[8, 4]")
        await edit(here, "7.5", (4, 2))
        await here.press("asterisk", *"7..8", "enter")
        await here.until_seen("[4, 2]", "*7.500")
        await here.press("asterisk", *["backspace"] * 4, *"< -1e9", "enter")
        await here.until(lambda: here.tensor.marked == "< -1e9", "the mark")


@pytest.mark.parametrize("size", SIZES)
async def test_value_gradient_and_state_stand_beside_each_other(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.step()
        here.app.handlers.opening.open("model.fc1.weight")
        await here.until_seen("step changed all")
        for _ in range(6):
            if here.tensor.mode == "beside":
                break
            await here.press("m")
        await here.until_seen("value", "before", "change", "grad", "exp_avg", "[0, 0]", "[1, 0]")
        await here.until(lambda: here.app.snapshot.answer(BESIDE) is not None, "the numbers")
        await here.press("down", "right")
        await here.until_seen("› [1, 1]")
        grad = here.fake.values("model.fc1.weight.grad")
        assert grad is not None
        row = next(line for line in here.text.splitlines() if "› [1, 1]" in line)
        await here.until(lambda: f"{grad[13]:.4f}" in here.text, "the gradient of the element")
        assert "none" not in row
