"""The foresight of panel 4: as text at every size, and in the app by key, mouse and palette."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from tui.builders import at, knowing, shown, stop_after, widest
from tui.stage import stage

from stepdbg.protocol.messages import Clipping, Foresight, Inner, Kept, Move
from stepdbg.tui.drawing.lines import ASCII, Frame
from stepdbg.tui.panels.optimizer import next_step as foresight
from stepdbg.tui.panels.optimizer.next_step import FORESIGHT
from stepdbg.tui.state.snapshot import Snapshot

NAME = "model.fc1.weight"
KNOWN = Foresight(
    NAME, "optimizer", "AdamW", 0, 12, (3, 5), 0.25, 4.0, Move("total", 0.03, 1.0, 1.0, -0.001),
    (
        Move("gradient", 0.01, 0.2, 0.6, -0.0004), Move("momentum", 0.03, 0.9, 0.98, -0.0007),
        Move("decay", 0.004, -0.1, -0.7, 0.0001), Move("clipping", 0.02, -0.5, -0.7, 0.0002),
    ),
    "(1 - lr wd) w - lr m / (sqrt(v) + eps)", clipping=Clipping("clip_grad_norm_", 1.0, 0.12, 8.3, 0.05),
)  # fmt: skip


def looking(known: Foresight = KNOWN, done: str = "backward") -> Snapshot:
    return knowing(at(stop_after(done)), known)


def words(known: Foresight = KNOWN, width: int = 80, done: str = "backward") -> str:
    return shown(foresight.lines(looking(known, done), Frame(width, 20), NAME))


def test_the_parts_stand_above_their_sum_and_what_clipping_took_below() -> None:
    told = words()
    assert "step comes next   (1 - lr wd) w - lr m / (sqrt(v) + eps)" in told
    order = [told.index(word) for word in ("gradient", "momentum", "weight decay", "together", "clipping")]
    assert order == sorted(order)
    assert "-10 %  -0.70 against" in told
    assert "[3, 5]  0.25 → 0.249" in told
    flat = " ".join(told.split())
    assert "cut this gradient to 12 % of its norm; all gradients together had 8.300" in flat
    assert "without it the move would be 1.67 times as large" in flat
    assert "Momentum makes 90 % of the move, the gradient 20 %. Weight decay pulls the other way." in flat


def test_of_a_gradient_that_a_clip_has_cut_to_next_to_nothing_it_is_said_how_much_is_left() -> None:
    cut = msgspec.structs.replace(KNOWN, clipping=Clipping("clip_grad_norm_", 1.0, 2.13e-5, 46965.0, 0.05))
    assert "cut this gradient to 0.0021 % of its norm" in " ".join(words(cut).split())


@pytest.mark.parametrize("width", [24, 41, 60, 80, 160])
def test_no_line_is_wider_than_the_panel(width: int) -> None:
    for known in (KNOWN, replace_kept(True), replace_kept(False)):
        drawing = foresight.draw(looking(known), Frame(width, 30), NAME)
        assert widest(drawing.body) <= width
    if width >= 41:
        assert "gradient" in words(width=width)


def replace_kept(fits: bool) -> Foresight:
    kept = Kept(13, 2e-9 if fits else 0.5, 0.01, fits, 600, "" if fits else "the gradient was written anew")
    return msgspec.structs.replace(KNOWN, kept=kept)


def test_after_the_step_it_is_said_whether_it_did_as_foretold() -> None:
    flat = " ".join(words(replace_kept(True), done="step").split())
    assert "✓ as foretold: step 13 moved 600 elements as it was to, at most 2.00e-9 off, by rounding" in flat
    assert "another step with this gradient" in flat
    flat = " ".join(words(replace_kept(False), done="step").split())
    assert "! not as foretold: after step 13 an element is off by 0.5000" in flat
    assert "the gradient was written anew" in flat


def inside_step(known: Foresight, width: int = 80) -> str:
    stop = stop_after("backward")
    boundary = msgspec.structs.replace(stop.boundary, done=None, next=None, inside=("step",))
    inner = Inner("parameter", "model.fc1.weight", "AdamW", total=4, place=1, how="written", change=0.03, phase="step")
    within = msgspec.structs.replace(stop, boundary=boundary, inner=inner)
    return " ".join(shown(foresight.lines(knowing(at(within), known), Frame(width, 20), NAME)).split())


@pytest.mark.parametrize("width", [41, 80, 160])
def test_inside_step_it_is_said_whether_that_step_has_moved_the_parameter_or_is_still_to_do_it(width: int) -> None:
    moved = inside_step(msgspec.structs.replace(KNOWN, reached="moved"), width)
    assert moved.startswith("✓ this step has moved it already; below: the step after it")
    coming = inside_step(msgspec.structs.replace(KNOWN, reached="to come"), width)
    assert "moved it already" not in coming
    assert "came now" not in moved + coming
    if width >= 80:
        assert "another step with this gradient (1 - lr wd) w" in moved
        assert coming.startswith("this step is still to do this (1 - lr wd) w")
    assert "if optimizer stepped now" in inside_step(KNOWN, 80), "the step is another optimizer's"


def test_of_two_optimizers_only_one_steps_next() -> None:
    def when(next_of: str) -> str:
        stop = msgspec.structs.replace(stop_after("backward"), next_of=next_of)
        return shown(foresight.lines(knowing(at(stop), KNOWN), Frame(80, 20), NAME))

    assert "step comes next" in when("optimizer")
    assert "if optimizer stepped now" in when("optimizer_d")


@pytest.mark.parametrize("width", [41, 80])
def test_of_several_optimizers_each_is_told_of_under_its_name(width: int) -> None:
    second = msgspec.structs.replace(KNOWN, optimizer="ema", cls="SGD", total=Move("total", 7.0), moves=())
    told = words(msgspec.structs.replace(KNOWN, further=(second,)), width)
    flat = " ".join(told.split())
    assert "2 optimizers hold it; each step is told of by itself." in flat
    assert told.index(" optimizer AdamW") < told.index("together") < told.index(" ema SGD") < told.rindex("the move")
    assert max(map(len, told.splitlines())) <= width


def test_what_cannot_be_foretold_and_what_was_not_recorded_is_said() -> None:
    none = Foresight(NAME, "optimizer", "Lion", 0, 3, why_not="The step of Lion is not torch's own")
    assert words(none) == " The step of Lion is not torch's own."
    past = replace(at(stop_after("backward")), looking_back=True)
    assert "not recorded" in shown(foresight.lines(past, Frame(80, 20), NAME))


def test_a_scale_is_told_and_plain_characters_do() -> None:
    scaled = msgspec.structs.replace(KNOWN, scale=65536.0, fresh=True)
    told = shown(foresight.lines(looking(scaled), Frame(80, 20, glyphs=ASCII), NAME))
    assert "multiplied by 65536" in told
    assert "begin with this step" in told
    assert told.isascii()


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 50)])
async def test_what_step_would_do_is_shown_by_key_and_checked_after_it(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("1", "W")
        await here.until_seen("together", "running")
        assert here.app.panel_layout.current == "optimizer"
        await here.step()
        await here.until_seen("as foretold: step 1 ")
        await here.step_to("step")
        await here.until_seen("momentum", "weight")
        await here.press("escape")
        assert here.app.panel_layout.focused_name() == "model"
        await here.press("4", "W")
        await here.until_seen("together")
        await here.press("W")
        await here.until_seen("betas")


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_inside_step_it_follows_what_the_step_has_moved(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.press("1", "W")
        await here.until_seen("step comes next")
        await here.press("s")
        await here.until_seen("inside step, after model.fc1.weight", "this step has moved it already")
        await here.press("1", "down", "W")
        await here.until_seen("model.fc1.bias", "this step is still to do this")
        await here.press("s")
        await here.until_seen("after model.fc1.bias", "this step has moved it already")
        await here.press("n")
        await here.until_seen("before data", "another step with this gradient")
        await here.until(lambda: "has moved it already" not in here.text, "the answer of this stop")


async def test_the_element_under_the_cursor_of_the_tensor_panel_is_followed() -> None:
    async with stage((160, 50)) as here:
        await here.step_to("step")
        await here.press("enter", "W")
        await here.until_seen("gradient")
        await here.press("2", "right", "down")
        await here.until(lambda: here.app.snapshot.answer(FORESIGHT).element == (1, 1), "the element of the cursor")
        await here.until_seen("[1, 1]  ")


async def test_it_is_reached_by_mouse_and_palette_too() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        await here.press("4")
        await here.click_on("what step would do")
        await here.until_seen("together")
        await here.press("escape", "1", "ctrl+p")
        await here.press(*"next step")
        await here.until(lambda: "next step (W)" in here.text, "the palette")
