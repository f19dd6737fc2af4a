"""Every action of the registry, fired by its key, by the mouse and through the palette, at three sizes.

The registry itself says what there is; `situations.py` says of each action how it comes to apply and what is seen of
it. What counts as the way of the mouse:

1. the action's own place on the screen, where it has one: a tab or title, a phase, a row, a part, the wheel;
2. else its entry in the footer, where the footer has room for it;
3. else the palette, opened by a click on `ctrl+p all` in the footer, scrolled with the wheel, and clicked. The footer
   keeps that entry at any size, so that whatever applies is reached without a key.

The palette itself is the only action that is not listed in the palette. The second and third of an action's keys take
turns with the first from size to size.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.command import CommandList, CommandPalette
from textual.events import MouseScrollDown
from textual.widgets import Input
from tui.model_situations import OF_THE_MODEL
from tui.scene import Scene
from tui.situations import ELSEWHERE, PLAYED, Played
from tui.stage import Stage, stage

from stepdbg.home.folders import STATE_VARIABLE
from stepdbg.tui.actions.action import Action, applicable, shown_keys
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.state.targets import ActionTarget

HERE = PLAYED | OF_THE_MODEL
SIZES = ((80, 24), (100, 30), (160, 50))
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
WAYS = ("key", "mouse", "palette")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))


def test_every_action_has_a_situation_and_every_situation_an_action() -> None:
    assert {action.id for action in ACTIONS} == {*HERE, *ELSEWHERE}


def test_only_the_palette_is_not_in_the_palette() -> None:
    assert [action.id for action in ACTIONS if not action.palette] == ["find_done", "command_palette"]


@pytest.mark.parametrize("way", WAYS)
@sizes
async def test_every_action_takes_effect(size: tuple[int, int], way: str) -> None:
    async with stage(size, updates=1_000_000, pace=0.002) as here:
        hub = here.hub.session
        hub.launch = msgspec.structs.replace(
            hub.launch, terminal=True
        )  # as if its script could be typed to and run again
        await here.step_to("step")
        await here.step()
        await play(here, HERE, way)


@sizes
async def test_what_needs_ranks_or_hints_takes_effect(size: tuple[int, int]) -> None:
    async with stage(size, ranks=2, guided=True) as here:
        for way in WAYS:
            here.app.hub.look_at_rank(0)
            here.app.guide.place = 0
            here.app.panel_layout.arrange_anew()
            await play(here, ELSEWHERE, way)


async def play(here: Stage, played: dict[str, Played], way: str) -> None:
    """Every action of a table, one after the other; tells of all that fail."""
    scene = Scene(here)
    failed = []
    for action in ACTIONS:
        if (one := played.get(action.id)) is None or (way == "palette" and not action.palette):
            continue
        try:
            await scene.home()
            await one.come(scene)
            if way == "mouse":
                await scene.settle()  # what is asked on the way may still move the keys of the footer
            if one.columns and here.app.size.width < 100:
                assert not action.applies(here.app.action_context())
                continue
            await fire(scene, action, one, way)
        except Exception as error:
            failed.append(f"{action.id}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)


async def fire(scene: Scene, action: Action, one: Played, way: str) -> None:
    """One action, one way."""
    assert action.applies(scene.app.action_context()), "it does not apply"
    assert not one.holds(scene), "it is seen before it is done"
    if way == "key":
        turn = 0 if one.first_key else SIZES.index(tuple(scene.app.size))
        key = action.keys[turn % len(action.keys)]
        assert applicable(key, scene.app.action_context()) is action
        await scene.here.press(key)
    elif way == "palette":
        await scene.here.press("ctrl+p")
        await choose(scene, action, scroll=False)
    elif one.mouse is not None:
        await one.mouse(scene)
    elif ((target := one.target) and scene.place_of(target)) or scene.place_of(target := ActionTarget(action.id)):
        await scene.click(target)
    else:
        await scene.click(ActionTarget("command_palette"))
        await choose(scene, action, scroll=True)
    await scene.until(lambda: one.holds(scene), f"the effect of {action.id} by {way}")
    if action.palette:
        await scene.until(lambda: not CommandPalette.is_open(scene.app), "the end of the palette")


async def choose(scene: Scene, action: Action, *, scroll: bool) -> None:
    """In the palette: type the label and press enter, or scroll to it and click."""
    await scene.until(lambda: CommandPalette.is_open(scene.app) and scene.app.screen.query(CommandList), "the palette")
    palette, title = scene.app.screen, f"{action.label} ({shown_keys(action)})"
    listed = palette.query_one(CommandList)
    names = lambda: [option.hit.text for option in listed.options]  # noqa: E731
    if not scroll:
        palette.query_one(Input).value = action.label
        await scene.until(lambda: listed.highlighted == 0 and str(names()[:1][0]) == title, f"{title} first of all")
        await scene.here.press("enter")
        return
    await scene.until(lambda: title in [str(name) for name in names()], f"{title} in the palette")
    await scene.here.pilot.pause()
    for _ in range(200):
        for y, line in enumerate(scene.here.text.splitlines()):
            if y >= listed.region.y and y < listed.region.bottom and f" {title} " in f"{line} ":
                await scene.here.pilot.click(offset=(listed.region.x + 5, y))
                return
        offset = (listed.region.x + 5, listed.region.y + 1)
        await scene.here.pilot._post_mouse_events([MouseScrollDown], offset=offset)
    raise AssertionError(f"{title} never came into view\n{scene.here.text}")
