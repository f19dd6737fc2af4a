"""Stepping into a phase on the screen: by key, by mouse, through the palette, at both sizes; and in the past."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from tui.builders import at, stop_after
from tui.stage import SIZES, Stage, stage

from stepdbg.home.folders import STATE_VARIABLE
from stepdbg.protocol import messages as m
from stepdbg.tui.actions.action import ActionContext, applicable
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.drawing.lines import ASCII, Frame, text, width_of
from stepdbg.tui.layout.bars import Footer, HintLine
from stepdbg.tui.records.losses import Point, Series
from stepdbg.tui.top import header, phases, rail
from stepdbg.tui.top.session_sentence import session_sentence
from stepdbg.tui.words import inside_phase as inner

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
FIGURES = m.Statistics(-1.3, 2.1, 0.0123, 0.52, 14.4, zeros=3)
OUTPUT = m.InnerTensor("output", "output of model.fc1", (64, 32), "float32", "cpu", FIGURES)
INPUT = m.InnerTensor("input", "x", (64, 784), "float32", "cpu")
MODULE = m.Inner("module", "model.fc1", "Linear", "", (OUTPUT, INPUT), place=2, phase="forward")
WEIGHT = m.InnerTensor("value", "model.fc1.weight", (32, 784), "float32", "cpu", FIGURES)


def within(phase: str, one: m.Inner, *, previous: bool = True) -> m.Stop:
    """The stop at that unit of a phase of update 42."""
    before = {"forward": "zero_grad", "loss": "forward", "backward": "loss", "step": "backward"}[phase]
    boundary = m.Boundary(index=300, update=42, inside=(phase,), epoch=1, file="mnist.py", line=41)
    return stop_after(before, previous=previous, boundary=boundary, effects=None, inner=one)


def words(phase: str, one: m.Inner) -> str:
    return session_sentence(at(within(phase, one)))


# the views, as text


def test_the_state_line_says_which_phase_and_which_unit() -> None:
    line = text(header.draw(at(within("forward", MODULE)), 160, 0.0))
    assert "PAUSED inside forward, after model.fc1 · epoch 1 · update 42" in line
    again = m.Inner("module", "model.fc1", "Linear", nth=2)
    assert header.state_words(at(within("forward", again)), 0.0) == (
        "PAUSED",
        "inside forward, after model.fc1 (call 2)",
    )
    line_alone = m.Inner("line", phase="loss")
    assert header.state_words(at(within("loss", line_alone)), 0.0) == ("PAUSED", "inside loss")


def test_a_breakpoint_before_a_module_says_what_is_about_to_be_called() -> None:
    ahead = m.Inner("module", "model.fc1", "Linear", "", (INPUT,), phase="forward", ahead=True)
    detail = "breakpoint 1: before forward of model.fc1"
    stop = msgspec.structs.replace(within("forward", ahead), reason="breakpoint", detail=detail)
    assert header.state_words(at(stop), 0.0) == ("PAUSED", "inside forward, before model.fc1")
    assert session_sentence(at(stop)) == f"{detail}: Linear model.fc1 is about to be called with 64×784"


def test_the_bars_of_the_loss_go_with_its_figure_where_the_unit_leaves_no_room() -> None:
    losses = (Series("loss", tuple(Point(update, 2.3 - update / 10) for update in range(1, 5))),)
    weight = m.Inner("parameter", "model.norm.weight", "Adam")
    stop = within("step", weight)
    stop = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, loss=1.9))
    snapshot = msgspec.structs.replace(at(stop), losses=losses)
    narrow, wide = (text(header.draw(snapshot, width, 0.0)) for width in (80, 160))
    assert "loss 1.900 █" in wide
    assert "loss" not in narrow
    assert "█" not in narrow


def test_the_figure_of_a_loss_bears_its_name_and_the_bars_are_its_own() -> None:
    falling = tuple(Point(update, 3.0 - update) for update in range(1, 3))
    losses = (Series("d_loss", falling), Series("g_loss", falling[::-1]), Series("criterion", falling))

    def told(name: str) -> str:
        stop = within("step", m.Inner("line"))
        stop = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, loss=1.5), loss_name=name)
        return text(header.draw(msgspec.structs.replace(at(stop), losses=losses), 160, 0.0))

    assert "d_loss 1.500 █▁" in told("d_loss")
    assert "g_loss 1.500 ▁█" in told("g_loss")
    assert "· loss 1.500 █▁" in told("criterion")
    assert "· loss / 2 = 1.500  " in told("loss / 2")


def test_the_rail_shows_the_unit_behind_its_phase_and_the_arrow_before_it() -> None:
    snapshot = at(within("forward", MODULE))
    lines = [text(line) for line in rail.draw(snapshot, 160)]
    assert "▶ forward ▸ model.fc1 ─" in lines[0]
    assert "Linear" in lines[1]
    assert "64×784 → 64×32" in lines[2]
    assert [box.name for box in phases.boxes(snapshot)] == ["data", "zero_grad", "forward", "loss", "backward", "step"]
    long = m.Inner("module", "model.transformer.layers.11.attention.projection", "Linear")
    lines = rail.draw(at(within("forward", long)), 80)
    assert re.search(r"▸ …\S*jection ", text(lines[1])), "its end, where there is no room beside the phase"
    assert "Linear" in text(lines[2])
    assert text(lines[0]).index("loss") == text(rail.draw(at(stop_after("zero_grad")), 80)[0]).index("loss")
    assert all(width_of(line) <= 80 for line in lines)


def test_the_sentence_says_what_each_kind_of_unit_did() -> None:
    assert words("forward", MODULE) == "Linear model.fc1: 64×784 → 64×32, mean 0.0123, std 0.5200, from -1.300 to 2.100"
    gradient = m.Inner("gradient", "model.fc1.weight", "", "", (WEIGHT,), place=3, total=8, how="added")
    assert words("backward", gradient) == (
        "the gradient of model.fc1.weight (3 of 8) was added to the one that was there: 32×784, norm 14.40, "
        "mean 0.0123, from -1.300 to 2.100"
    )
    gone = m.Inner("gradient", "model.fc1.weight", total=8, place=3, how="gone")
    assert "a hook of the script's has freed it" in words("backward", gone)
    parameter = m.Inner("parameter", "model.fc1.weight", "Adam", "", (WEIGHT,), place=1, total=8, change=0.25)
    assert words("step", parameter) == "Adam wrote model.fc1.weight (1 of 8), moving it by 0.2500 (2-norm)"
    together = m.Inner(
        "parameter", "model.fc1.weight", "Adam", "", (WEIGHT,), place=1, total=8, change=1, how="together"
    )
    assert "by the same calls (foreach or fused), so all are written already" in words("step", together)
    operator = m.Inner("operator", "aten.addmm", "", "model.fc1", (OUTPUT, INPUT))
    assert words("forward", operator).startswith("aten.addmm in model.fc1: 64×784 → 64×32, mean")
    node = m.Inner("node", "ReluBackward0", "", "model.relu", (OUTPUT,))
    assert words("backward", node).startswith("ReluBackward0, on the way back from the output of model.relu: 64×32")
    broken = m.InnerTensor("output", "o", (4,), "float32", "cpu", m.Statistics(nan=3))
    assert words("forward", m.Inner("module", "model.fc1", "Linear", "", (broken,))).endswith("3 NaN")


def of_loss(value: float | None, *, shape: tuple[int, ...] = (), **more: int) -> m.Inner:
    """A criterion that gave this."""
    found = m.Statistics(value, value, value, None, abs(value) if value is not None else None, **more)
    result = m.InnerTensor("output", "output of loss_fn", shape, "float32", "cpu", found)
    return m.Inner("module", "loss_fn", "MSELoss", "", (result, INPUT))


def test_a_result_of_one_number_reads_as_that_number() -> None:
    assert words("loss", of_loss(2.3179)) == "MSELoss loss_fn: 64×784 → scalar, value 2.318"
    assert words("loss", of_loss(-0.5, shape=(1, 1))) == "MSELoss loss_fn: 64×784 → 1×1, value -0.5000"
    assert words("loss", of_loss(None, nan=1)) == "MSELoss loss_fn: 64×784 → scalar, value NaN"
    assert words("loss", of_loss(float("-inf"), inf=1)) == "MSELoss loss_fn: 64×784 → scalar, value -inf"


@pytest.mark.parametrize("width", [20, 48, 160])
def test_the_table_has_one_figure_for_one_number(width: int) -> None:
    def drawn(one: m.Inner) -> str:
        drawing = inner.draw(at(within("loss", one)), Frame(width, 14))
        assert all(width_of(line) <= width for line in (*drawing.head, *drawing.body, *drawing.foot))
        return " ".join(" ".join(text(line) for line in (*drawing.head, *drawing.body, *drawing.foot)).split())

    alone = drawn(of_loss(2.3179))
    assert "value" in alone
    assert alone.count("2.318") == 1
    assert "mean" not in alone
    both = m.Inner("module", "loss_fn", "MSELoss", "", (*of_loss(2.3179).tensors, OUTPUT))
    if width > 20:
        assert "mean/=val" in drawn(both)
        assert "=2.318" in drawn(both)


def test_plain_terminals_get_plain_characters() -> None:
    snapshot = at(within("forward", MODULE))
    drawn = inner.draw(snapshot, Frame(60, 12, glyphs=ASCII))
    lines = [*rail.draw(snapshot, 100, glyphs=ASCII), *drawn.head, *drawn.body, *drawn.foot, drawn.title]
    assert all(text(line).isascii() for line in lines)
    assert session_sentence(snapshot, ASCII).isascii()


@pytest.mark.parametrize("width", [20, 36, 78])
def test_the_table_of_tensors_fits_every_width_and_says_the_figures_that_it_has_no_column_for(width: int) -> None:
    drawn = inner.draw(at(within("forward", MODULE)), Frame(width, 14))
    lines = (*drawn.head, *drawn.body, *drawn.foot)
    assert all(width_of(line) <= width for line in lines)
    everything = " ".join(" ".join(text(line) for line in lines).split())
    assert drawn.total == 2
    for figure in ("0.0123", "0.5200", "-1.300", "2.100", "14.40", "3 zeros"):
        assert figure in everything, (figure, everything)


def test_where_a_phase_is_one_call_there_are_no_operators_to_step_by_and_s_is_as_n() -> None:
    for done, key in (("data", None), ("zero_grad", "operator"), ("forward", "operator"), ("step", None)):
        here = ActionContext(at(stop_after(done)), "model", actions=ACTIONS)
        found = applicable("I", here)
        assert (found and found.id) == key, done
        assert applicable("s", here) is not None
        assert applicable("V", here) is None
    for snapshot in (at(stop_after("forward"), "running"), at(stop_after("step", boundary=m.Boundary(1, 1)))):
        assert applicable("s", ActionContext(snapshot, "model", actions=ACTIONS)) is None
    inside = ActionContext(at(within("forward", MODULE)), "model", actions=ACTIONS)
    assert [applicable(key, inside).id for key in "snIVfc"] == [
        "into", "next", "operator", "came_out", "finish", "continue",
    ]  # fmt: skip


# the app


async def at_forward(here: Stage) -> None:
    await here.step_to("forward")


@both_sizes
async def test_s_goes_through_the_modules_and_n_to_the_end_of_the_phase(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await at_forward(here)
        for name, cls in (("fc1", "Linear"), ("norm", "Norm"), ("fc2", "Linear")):
            await here.step("s")
            await here.until_seen(f"inside forward, after model.{name}", f"{cls} model.{name}: ")
        await here.step("s")
        await here.until_seen("PAUSED before loss")
        await here.step("s")  # there is nothing inside it to stop at
        await here.until_seen("PAUSED before backward")
        await here.step("s")
        await here.until_seen("inside backward, after model.fc2.bias.grad", "(1 of 4) has arrived")
        await here.step("n")
        await here.until_seen("PAUSED before step")
        await here.step("s")
        await here.until_seen("inside step, after model.fc1.weight", "Adam wrote model.fc1.weight (1 of 4)")
        await here.step("f")
        await here.until_seen("PAUSED before data", "update 1 done")


async def test_what_came_out_is_opened_by_key_and_the_tensor_panel_follows() -> None:
    async with stage((160, 50)) as here:
        await at_forward(here)
        await here.step("s")
        await here.press("V")
        await here.until(lambda: here.tensor.view and here.tensor.view.shape == (8, 16), "the output")
        assert [part.label for part in here.tensor.view.parts] == ["output", "input"]
        await here.step("s")
        await here.until(lambda: here.tensor.object == "output of model.norm", "the next output")
        await here.until(lambda: here.tensor.view and len(here.tensor.view.parts) == 2, "output and input")
        await here.press("v")
        await here.until(lambda: here.tensor.part == "input", "the input")


@both_sizes
async def test_the_effects_panel_lists_the_tensors_and_a_click_or_enter_opens_one(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await at_forward(here)
        await here.step("s")
        await here.press("3")
        await here.until(lambda: "output" in here.panel("effects").text(), "the table")
        await here.press("down", "enter")
        await here.until(lambda: here.tensor.object == "x", "the input, by its own name")
        await here.press("3")
        await here.until(lambda: here.app.panel_layout.focused_name() == "effects", "the table")
        await here.click_on("output ", start=True)
        await here.until(lambda: here.tensor.object == "output of model.fc1", "the output")
        await here.press("3", "3")
        await here.until(lambda: "update 1" in here.panel("effects").text().splitlines()[0], "the matrix")
        await here.press("3", "escape")
        await here.until(lambda: "update 1" in here.panel("effects").text().splitlines()[0], "the matrix")


async def test_the_footer_steps_into_as_the_key_does() -> None:
    async with stage() as here:
        await at_forward(here)
        await here.click_on("s in")
        await here.until_seen("inside forward, after model.fc1")
        await here.click_on("s in")
        await here.until_seen("inside forward, after model.norm")


@both_sizes
async def test_footer_and_hint_are_of_the_very_stop_that_the_header_names(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither is ever painted for another stop than the one that the header shows, whatever is asked for meanwhile."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    async with stage(size, guided=True) as here:
        await at_forward(here)
        painted: list[tuple[int, int, str, str]] = []
        footer, line = (here.app.screen_stack[0].query_one(kind) for kind in (Footer, HintLine))
        show = footer.show

        def noting(situation: ActionContext, *others: str) -> None:
            show(situation, *others)
            painted.append((here.top.snapshot.boundary, situation.snapshot.boundary, footer.text(), line.words))

        footer.show = noting  # type: ignore[method-assign]
        for key, header, hint in (
            ("s", "inside forward, after model.fc1", "inside forward, s goes to the next module"),
            ("s", "inside forward, after model.norm", "inside forward, s goes to the next module"),
            ("n", "PAUSED before loss", ""),
            ("n", "PAUSED before backward", ""),
            ("s", "inside backward, after", "inside backward, s goes to the next gradient"),
        ):
            before = here.app.snapshot.boundary
            painted.clear()
            await here.step(key)
            await here.until_seen(header)
            first = next(one for one in painted if one[0] > before)
            assert all(of_header == of_footer for of_header, of_footer, _, _ in painted)
            words = [one[3] for one in painted if one[0] > before]
            assert all(said.startswith(hint) if hint else not said.startswith("inside") for said in words), words
            inner = header.startswith("inside") and size != SIZES[0]
            assert ("V result" in first[2]) == inner, "what came out can be opened at once"


async def test_inner_stops_are_looked_back_at_like_others() -> None:
    async with stage((160, 50)) as here:
        await at_forward(here)
        await here.step("s")
        await here.step("s")
        await here.press("left_square_bracket")
        await here.until_seen("PAST", "inside forward, after model.fc1")
        await here.press("escape")
        await here.until_seen("PAUSED inside forward, after model.norm")


async def test_an_exception_inside_a_phase_that_is_stepped_into_is_a_stop() -> None:
    async with stage(fail_at=(1, "backward")) as here:
        await here.step_to("backward")
        await here.step("s")
        await here.until_seen("PAUSED on RuntimeError")
        assert applicable("s", here.app.action_context()) is None
