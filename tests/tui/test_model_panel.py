"""The Model panel on the fake debuggee: folds, orders and filters, by key, by mouse and through the palette."""

from __future__ import annotations

import asyncio

import pytest
from tui.stage import Stage, stage

from stepdbg.protocol.messages import ListObjects, Query, Result
from stepdbg.tui.panels.model.panel import ModelPanel
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.snapshot import Snapshot

ALL_SIZES = ((80, 24), (100, 30), (160, 50))
every_size = pytest.mark.parametrize("size", ALL_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def panel(here: Stage) -> ModelPanel:
    found = here.panel("model")
    assert isinstance(found, ModelPanel)
    return found


def body(here: Stage) -> list[str]:
    """The first words of the rows below title and heading."""
    lines = [line.replace("›", " ").split() for line in panel(here).text().splitlines()[2:]]
    return [words[0] if words[0] not in "▾▸*+-~" else " ".join(words[:2]) for words in lines if words]


async def settled(here: Stage) -> None:
    await here.pilot.pause()
    await here.until(lambda: here.app.hub.questions and not here.app.hub.questions.busy, "the answers")
    await here.pilot.pause()


async def palette(here: Stage, words: str) -> None:
    """Choose a command by its name."""
    await here.press("ctrl+p")
    await here.press(*words.replace(" ", "_").replace("_", " "), "enter")


@every_size
async def test_modules_are_folded_and_unfolded_by_key_and_mouse(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("1", "home")
        assert panel(here).here().name == "model"
        await here.press("down", "left")
        await here.until(lambda: "▸ fc1" in panel(here).text(), "fc1 folded")
        assert panel(here).here().name == "model.fc1"
        await here.press("enter")
        await here.until(lambda: "▾ fc1" in panel(here).text(), "fc1 unfolded")
        await here.press("right")
        assert panel(here).here().name == "model.fc1.weight"
        await here.press("left")
        assert panel(here).here().name == "model.fc1"
        await here.press("minus")
        await here.until(lambda: "fc1" not in panel(here).text(), "all folded")
        await here.press("plus")
        await here.until(lambda: "▾ fc2" in panel(here).text(), "all unfolded")
        await here.click_on("▾ fc2", start=True)
        await here.until(lambda: "▸ fc2" in panel(here).text(), "fc2 folded by a click on its sign")


@every_size
async def test_a_folded_module_says_what_the_phase_did_inside(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("1", "home", "down", "left")
        await here.until(lambda: "▸ fc1" in panel(here).text(), "fc1 folded")
        await here.step_to("step")
        await here.until(lambda: "+   ▸ fc1" in panel(here).text(), "gradients written in fc1")
        await here.step()
        await here.until(lambda: "*   ▸ fc1" in panel(here).text(), "parameters changed in fc1")


@every_size
async def test_a_filter_holds_as_it_is_typed_and_escape_shows_all(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("forward")
        before = here.app.snapshot.boundary
        await here.press("slash", *"fc2")
        await here.until(lambda: "2 tensors" in panel(here).text(), "two tensors of fc2")
        assert "fc1" not in panel(here).text()
        await here.press("space", *"biasn", "backspace")
        await here.until(lambda: panel(here).chosen() == "model.fc2.bias", "one of them")
        assert "1 tensor " in panel(here).text()
        await here.press("enter")
        assert not panel(here).typing
        assert "/ fc2 bias" in panel(here).text()
        assert here.app.snapshot.boundary == before, "a letter that was typed has stepped"
        await here.step()
        await settled(here)
        assert "/ fc2 bias" in panel(here).text()
        await here.press("escape")
        await here.until(lambda: "fc1" in panel(here).text(), "all tensors")
        assert panel(here).chosen() == "model.fc2.bias"


async def test_rows_drawn_late_leave_the_cursor_of_the_next_rows_on_a_tensor() -> None:
    async with stage((160, 50)) as here:
        await here.step_to("forward")
        await here.press("slash", *"fc2 bias")
        await settled(here)
        assert here.app.hub.questions is not None
        before, connection, late = here.app.snapshot, here.app.hub.questions._connection, asyncio.Event()

        class Slow:
            async def ask(self, query: Query, rank: int = 0) -> Result:
                if isinstance(query, ListObjects) and query.filter.endswith("bias"):
                    await late.wait()
                return await connection.ask(query, rank)

        await here.press("n")
        await settled(here)
        here.app.hub.questions._connection = Slow()
        await here.press("backspace")
        await here.until(lambda: panel(here).filter == "fc2 bias", "the filter")
        panel(here).snapshot_changed(before, here.app.snapshot)  # as where a frame comes after the next letter
        late.set()
        await here.until(lambda: "1 tensor " in panel(here).text(), "the rows of the filter")
        await settled(here)
        assert panel(here).chosen() == "model.fc2.bias"


@every_size
async def test_tensors_are_found_by_class_gradient_and_change(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("1", "slash", *"class:norm")
        await here.until(lambda: "2 tensors" in panel(here).text(), "the buffers of the norm")
        await here.press("ctrl+u", *"changed")
        await here.until(lambda: "4 tensors" in panel(here).text(), "four new gradients")
        await here.press("ctrl+u", *"grad:none")
        await here.until(lambda: "No tensor is found by `grad:none`" in panel(here).text(), "none without a gradient")
        assert "0 tensors" in panel(here).text()
        await here.press("ctrl+u", *"grad:all")
        await here.until(lambda: "grad:all is not known" in panel(here).text(), "what there is instead")
        await here.press("escape")
        await here.until(lambda: "fc1" in panel(here).text(), "all tensors")


@every_size
async def test_rows_are_sorted_by_key_and_by_a_click_on_a_heading(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("1", "O")
        await here.until(lambda: "name▾" in panel(here).text(), "sorted by name")
        await here.until(lambda: body(here)[0] == "model.fc1.bias", "the first by name")
        await here.press("O")
        headings = ("norm▾", "norm/=value▾", "norm/=val▾")  # as is room, and as there are tensors of one number
        await here.until(lambda: any(heading in panel(here).text() for heading in headings), "sorted by norm")
        known = here.app.snapshot
        rows = [row.name for row in known.answer(OBJECTS).rows if row.node == "parameter"]
        norms = [known.summaries[name].norm for name in rows if name in known.summaries]
        assert norms == sorted(norms, reverse=True)
        await here.click_on(next(heading for heading in headings if heading in panel(here).text()))
        await here.until(lambda: "▾ fc1" in panel(here).text(), "the tree again")


async def test_the_palette_finds_filter_order_and_folds() -> None:
    async with stage((100, 30)) as here:
        await palette(here, "order")
        await here.until(lambda: "name▾" in panel(here).text(), "sorted by name")
        panel(here).sort("name")
        await here.until(lambda: "▾ fc1" in panel(here).text(), "the tree again")
        await palette(here, "fold all")
        await here.until(lambda: "fc1" not in panel(here).text(), "all folded")
        await palette(here, "find")
        await here.until(lambda: panel(here).typing, "a filter can be typed")


async def test_slash_goes_to_the_model_from_another_panel_and_leaving_it_keeps_the_filter() -> None:
    async with stage((80, 24)) as here:
        await here.press("4", "slash", *"bias")
        await here.until(lambda: "2 tensors" in panel(here).text(), "the biases")
        await here.press("tab")
        await here.press("enter", "4", "1")
        await settled(here)
        assert panel(here).filter == "bias"
        assert not panel(here).typing


@every_size
async def test_of_a_large_model_only_what_is_in_view_is_asked_for(size: tuple[int, int]) -> None:
    async with stage(size, recording="large") as here:
        await here.press("1")
        await here.until(lambda: "▸ blocks" in panel(here).text(), "a large model begins folded")
        for key in ("plus", "end", "home"):  # what is asked for at once may be of the height before the last key
            await here.press(key)
            await settled(here)
        await here.until(lambda: panel(here).total > 1200, "all rows")
        await settled(here)
        assert len(here.app.snapshot.answer(OBJECTS).rows) == 3 * panel(here).body_rows
        await here.press("end")
        await settled(here)
        assert "599" in panel(here).text()
        assert panel(here).here() is not None
        await here.press("slash", *"blocks.37")
        await here.until(lambda: "11 tensors" in panel(here).text(), "37 and 370 to 379")
        await here.press("down", "down", "enter")
        name = panel(here).here().name
        await here.press("escape")
        await here.until(lambda: "11 tensors" not in panel(here).text(), "all rows again")
        await settled(here)
        assert panel(here).here().name == name
        await here.step()
        await settled(here)
        assert panel(here).here().name == name


async def test_a_scrolled_row_that_is_not_here_yet_shows_that_it_comes() -> None:
    async with stage((80, 24), recording="large") as here:
        await here.press("1", "plus")
        await here.until(lambda: panel(here).total > 1200, "all rows")
        await settled(here)
        known: Snapshot = here.app.snapshot
        shown = panel(here)
        shown.cursor = 900
        shown.repaint()
        assert known.answer(OBJECTS) is here.app.snapshot.answer(OBJECTS)
        assert "…" in shown.text()
        shown.moved()
        await here.until(lambda: "…" not in shown.text(), "the rows")
