"""The layouts: which panels stand where at a size, and what stays when the size changes."""

from __future__ import annotations

import re

import pytest
from tui.stage import stage

from stepdbg.tui.drawing.lines import target_at, text
from stepdbg.tui.layout import footer
from stepdbg.tui.layout.arrangement import COLUMNS, arranged, boxes, order
from stepdbg.tui.panel_base.registry import DIGITS, NAMES, OWN_PLACE, PANELS
from stepdbg.tui.state.targets import PanelTarget

EVERY = [spec.name for spec in OWN_PLACE]
SIZES = ((80, 24), (100, 30), (160, 50))
three_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((160, 50), "wide"),
        ((140, 40), "wide"),
        ((139, 40), "medium"),
        ((140, 39), "medium"),
        ((100, 30), "medium"),
        ((99, 30), "tabs"),
        ((100, 29), "tabs"),
        ((80, 24), "tabs"),
        ((24, 9), "tabs"),
        ((23, 9), "tiny"),
        ((80, 8), "tiny"),
    ],
)
def test_the_size_decides_the_layout(size: tuple[int, int], kind: str) -> None:
    assert arranged(*size).kind == kind
    assert arranged(*size, zoomed=True).kind == ("tiny" if kind == "tiny" else "tabs")


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_panel_has_one_slot_in_a_layout_of_columns(kind: str) -> None:
    placed = [panel for column in COLUMNS[kind] for slot in column.slots for panel in slot.panels]
    assert sorted(placed) == sorted(EVERY)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("room", [(100, 22), (160, 42), (211, 77)])
def test_boxes_fill_the_room_and_do_not_overlap(kind: str, room: tuple[int, int]) -> None:
    width, height = room
    cells = [
        (x, y)
        for box in boxes(kind, width, height, EVERY).values()
        for x in range(box.x, box.x + box.width)
        for y in range(box.y, box.y + box.height)
    ]
    assert len(cells) == len(set(cells)) == (width - (len(COLUMNS[kind]) - 1)) * height
    assert all(0 <= x < width and 0 <= y < height for x, y in cells)


@pytest.mark.parametrize("kind", [*COLUMNS, "tabs"])
@pytest.mark.parametrize("panel", EVERY)
def test_the_panel_gone_to_last_is_always_seen(kind: str, panel: str) -> None:
    assert panel in boxes(kind, 120, 40, order(EVERY, [panel]))


def test_panels_that_the_program_does_not_have_are_left_out_and_their_room_is_shared() -> None:
    found = boxes("wide", 160, 42, ["model", "tensor", "loss", "breaks"])
    assert set(found) == {"model", "tensor", "loss"}
    assert found["loss"].height == 42
    assert found["loss"].slot_panels == ("loss", "breaks")
    assert found["model"].width + found["loss"].width == 159


@pytest.mark.parametrize("width", [160, 100, 80, 60, 40, 20, 8])
@pytest.mark.parametrize("zoomed", [False, True])
def test_the_tabs_fit_and_name_the_panel_in_front(width: int, zoomed: bool) -> None:
    for current in EVERY:
        line = footer.tabs(current, width, zoomed="z" if zoomed else "")
        words = text(line)
        assert len(words) <= max(width, len(current) + 2)
        assert current[:5].capitalize() in words
        if width >= 80 and not zoomed:
            assert all(name[:5].capitalize() in words for name in EVERY)
        assert ("z: all panels" in words) == (zoomed and width >= 60)
        assert target_at(line, words.index(current[:5].capitalize())) in (PanelTarget(current), None)


def hidden_beside(here) -> list[str]:  # type: ignore[no-untyped-def]
    """The panels that stand behind others."""
    seen = {panel.panel for panel in here.app.panel_layout.visible()}
    return [name for name in PANELS.values() if name not in seen]


@three_sizes
async def test_a_digit_brings_its_panel_to_the_front_and_each_hidden_one_is_named_by_its_number(
    size: tuple[int, int],
) -> None:
    async with stage(size) as here:
        for digit, name in PANELS.items():
            await here.press(*(["escape"] if name == "findings" else []), digit)  # out of the console's prompt
            await here.pilot.pause()
            assert here.app.panel_layout.is_shown(name)
            assert here.app.panel_layout.focused_name() == name
            assert here.panel(name).size.height > 1
            for hidden in hidden_beside(here):
                assert re.search(f"{DIGITS[hidden]} ?{NAMES[hidden][:5]}", here.text)
            assert re.search(f"{digit} ?{NAMES[name][:5]}", here.text)


@pytest.mark.parametrize("size", SIZES[1:], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_click_on_a_name_in_a_title_brings_that_panel_to_the_front(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        hidden = hidden_beside(here)
        assert hidden
        for name in hidden:
            await here.click_on(f"{DIGITS[name]} {NAMES[name][:5]}")
            await here.until(lambda name=name: here.app.panel_layout.is_shown(name), name)
            assert here.app.panel_layout.focused_name() == name


@three_sizes
async def test_z_shows_one_panel_and_all_again_where_there_is_room(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("5")
        before = [panel.panel for panel in here.app.panel_layout.visible()]
        await here.press("z")
        assert [panel.panel for panel in here.app.panel_layout.visible()] == ["loss"]
        await here.pilot.pause()
        assert ("z: all panels" in here.text) == (size != (80, 24))
        await here.press("z")
        assert [panel.panel for panel in here.app.panel_layout.visible()] == before


async def test_resizing_keeps_focus_selection_and_what_is_in_front() -> None:
    async with stage((160, 50)) as here:
        await here.press("8", "2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("down", "right", "1", "down", "down")
        cursor = here.panel("model").cursor
        for size in ((100, 30), (80, 24), (12, 4), (100, 30), (160, 50)):
            await here.pilot.resize_terminal(*size)
            await here.pilot.pause()
            assert here.app.panel_layout.focused_name() == "model"
            assert here.panel("model").cursor == cursor
            assert size == (12, 4) or here.panel("model").has_focus
        assert here.app.panel_layout.is_shown("breaks")
        assert (here.tensor.cursor, here.tensor.column) == (1, 1)
