"""Maps by key and mouse, copying and saving, in the app on a stage."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.stage import SIZES, Stage, stage

from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.files.clipboard import MOST, sequence
from stepdbg.tui.panels.tensor.slots import MAPS

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


async def opened(here: Stage) -> None:
    await here.press("2")
    await here.until(lambda: here.tensor.editable(), "the numbers")


def told(here: Stage) -> str:
    """The newest notice; empty where there is none."""
    return next((one.message for one in reversed([*here.app._notifications])), "")


async def mapped(here: Stage) -> None:
    """Heat maps alone."""
    await opened(here)
    while here.tensor._layout().mode != "map":
        await here.press("m")
    await here.until(lambda: here.app.snapshot.answer(MAPS), "the maps")
    await here.pilot.pause()


@both_sizes
async def test_m_shows_maps_and_numbers_in_turn_and_the_cursor_is_one(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await opened(here)
        seen = []
        for _ in range(4):
            seen.append(here.tensor._layout().mode)
            await here.press("m")
        assert sorted(seen) == ["beside", "both", "map", "numbers"]
        await mapped(here)
        await here.press("down", "right")
        row = here.app.snapshot.answer(MAPS).block_rows  # a step over a map is a pixel
        await here.until(lambda: here.tensor.editable().element == (row, 1), "the next pixel")
        value = here.fake.values("model.fc1.weight")[12 * row + 1]
        await here.until_seen(f"[{row}, 1]", "▌▌▌▌▌▌▌▌", f"value {value:.4f}")
        await here.press("e")
        await here.until_seen(f"model.fc1.weight[{row}, 1]")


async def test_a_click_on_a_pixel_puts_the_cursor_there_and_the_footer_switches() -> None:
    async with stage((99, 40)) as here:
        await mapped(here)
        labels = [y for y, line in enumerate(here.text.splitlines()) if line.startswith(" value ")]
        await here.pilot.click(offset=(12, labels[-1] + 4))
        await here.until(lambda: here.tensor.column > 0, "another column")
        assert here.tensor.cursor > 0
        before = here.tensor._layout().mode
        await here.click_on("m map")
        await here.until(lambda: here.tensor._layout().mode != before, "another look")


async def test_the_gradient_and_the_state_come_beside_the_value_as_they_are_made() -> None:
    async with stage((160, 50)) as here:
        await mapped(here)
        await here.press("z")
        await here.step_to("step")
        await here.until(lambda: len(here.app.snapshot.answer(MAPS).maps) == 2, "a map of the gradient")
        await here.step()
        await here.until(lambda: len(here.app.snapshot.answer(MAPS).maps) == 4, "maps of the moments")
        await here.until_seen("exp_avg_sq")


async def test_maps_go_on_where_there_are_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage((100, 40)) as here:
        await mapped(here)
        await here.until_seen("[ .:-=+*#%@]")
        assert "▀" not in here.text


@contextlib.contextmanager
def clipboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    written: list[str] = []
    monkeypatch.setattr(StepdbgApp, "write_to_terminal", lambda _, words: written.append(words))
    yield written


def decoded(written: str) -> str:
    return base64.b64decode(written.split(";")[2].split("\a")[0]).decode()


async def test_y_copies_what_is_under_the_cursor_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    with clipboard(monkeypatch) as written:
        async with stage() as here:
            await here.step()
            await here.press("1", "y")
            assert decoded(written[-1]) == "model.fc1.weight"
            assert told(here) == "copied the name: model.fc1.weight"
            await opened(here)
            await here.press("down", "y")
            assert float(decoded(written[-1])) == pytest.approx(here.fake.values("model.fc1.weight")[12])
            await here.press("Y")
            assert decoded(written[-1]).startswith("model.fc1.weight: min -")
            await here.press("0", "y")
            assert decoded(written[-1]).startswith("data fetched the next batch")
            await here.press("4")
            await here.until(lambda: here.panel("optimizer").editable(), "the hyperparameters")
            await here.press("y")
            assert decoded(written[-1]) == "0.02"


def test_under_tmux_the_sequence_is_sent_plain_and_wrapped_and_too_much_is_refused() -> None:
    plain = sequence("ö", tmux=False)
    assert plain == f"\x1b]52;c;{base64.b64encode('ö'.encode()).decode()}\a"
    assert sequence("ö", tmux=True) == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"
    with pytest.raises(ValueError, match="too many for a terminal's clipboard"):
        sequence("x" * (MOST + 1), tmux=False)


@both_sizes
async def test_saving_asks_what_and_where_and_never_overwrites(size: tuple[int, int], tmp_path: Path) -> None:
    async with stage(size) as here:
        await opened(here)
        await here.press("ctrl+s")
        await here.until_seen("model.fc1.weight as npy", "the whole state", "enter saves")
        await here.press("tab")
        field = here.app.screen.query_one(Input)
        assert field.value.endswith("update1-model.fc1.weight.safetensors")
        taken = tmp_path / "taken.safetensors"
        taken.write_text("mine")
        field.value = str(taken)
        await here.press("enter")
        await here.until_seen("taken-2.safetensors is free")
        assert field.value == str(tmp_path / "taken-2.safetensors")
        field.value = str(tmp_path / "none" / "w.safetensors")
        await here.press("enter")
        await here.until_seen("there is no folder")
        field.value = str(tmp_path / "w.safetensors")
        await here.press("enter")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the dialog's end")
        await here.until(lambda: "saved 1 tensor" in told(here), "that it is saved")
        assert (tmp_path / "w.safetensors").read_text().startswith("model.fc1.weight ")
        assert taken.read_text() == "mine"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["taken.safetensors", "w.safetensors"]


async def test_the_state_the_table_and_the_screen_are_saved(tmp_path: Path) -> None:
    async with stage() as here:
        await here.step_to("step")
        for place, name in ((4, "all.safetensors"), (5, "model.csv"), (6, "model.txt"), (7, "screen.svg")):
            await here.press("1", "ctrl+s")
            await here.until_seen("enter saves")
            await here.press(*["down"] * place, "tab")
            here.app.screen.query_one(Input).value = str(tmp_path / name)
            await here.press("enter")
            await here.until(lambda: len(here.app.screen_stack) == 1, "the dialog's end")
            await here.until(lambda name=name: name in told(here), "that it is saved")
        assert "model.fc1.weight.grad " in (tmp_path / "all.safetensors").read_text()
        table = (tmp_path / "model.csv").read_text().splitlines()
        assert table[0].startswith("object,kind,shape")
        assert len(table) == 1 + 6 + 4
        assert "model.fc2.bias" in (tmp_path / "model.txt").read_text()
        picture = (tmp_path / "screen.svg").read_text()
        assert "PAUSED" in picture
        assert "enter" in picture
        assert "all.safetensors" not in picture
