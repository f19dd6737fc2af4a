"""Frames up and down, the variables of a frame, and the console: by key and by mouse, on the fake debuggee."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from textual import events
from tui.builders import at, knowing, shown, stop_after, widest
from tui.stage import SIZES, Stage, stage

from stepdbg.protocol.messages import (
    Breakpoint,
    Evaluate,
    Evaluated,
    Frame,
    Interrupt,
    Local,
    Locals,
    Query,
    Refusal,
    Result,
    SourceText,
)
from stepdbg.tui.drawing.lines import ASCII, UNICODE
from stepdbg.tui.drawing.lines import Frame as Place
from stepdbg.tui.panels.console import view as console
from stepdbg.tui.panels.console.input import complete
from stepdbg.tui.panels.source import variables
from stepdbg.tui.panels.source import view as source
from stepdbg.tui.records.exchanges import KEPT, Exchange, Replied, Typed, after, under_way
from stepdbg.tui.records.phase_lines import learned
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
STACK = (
    Frame("/x/train.py", 41, "train"),
    Frame("/lib/loop.py", 7, "fit", True),
    Frame("/x/train.py", 60, "main"),
    Frame("/x/train.py", 72, "<module>"),
)


def in_a_stack(**fields: object) -> Snapshot:
    stop = stop_after("forward", frames=STACK, line_next=("/x/train.py", 41), line_done=("/x/train.py", 40))
    found = Locals(
        0,
        (
            Local("x", "", (64, 1, 28, 28), "float32", "cuda:0", -0.5, 2.75, "x"),
            Local("loss", "0.4312", (), "float32", "cpu", object="loss"),
            Local("epoch", "3"),
        ),
    )
    return knowing(at(stop), found, **fields)


def test_u_and_d_go_through_the_users_frames_and_stay_at_the_ends() -> None:
    shot = in_a_stack()
    assert frames.chosen(shot) == 0
    walk = [frames.chosen(shot := frames.walked(shot, 1)) for _ in range(3)]
    assert walk == [2, 3, 3]
    assert frames.chosen(frames.walked(shot, -9)) == 0
    opened = frames.unfolded(in_a_stack())
    assert frames.chosen(frames.walked(opened, 1)) == 1
    assert frames.chosen(frames.unfolded(frames.walked(opened, 1))) == 0


def test_the_next_stop_begins_with_the_innermost_frame_again() -> None:
    shot = frames.walked(in_a_stack(), 1)
    boundary = msgspec.structs.replace(shot, session=at(stop_after("loss", frames=STACK)).session)
    assert shot.boundary != boundary.boundary
    assert frames.chosen(boundary) == 0


def test_a_stop_without_frames_is_in_main() -> None:
    shot = at(stop_after("step", frames=()))
    assert frames.chosen(shot) == frames.NONE
    assert frames.chosen(frames.walked(shot, 1)) == frames.NONE
    assert "__main__" in shown(variables.draw(shot, 60, 3, variables.Cursor(), UNICODE))


def test_variables_that_were_not_read_are_not_said_to_be_on_their_way_where_nobody_can_read_them() -> None:
    for state, words in (("paused", "reading the"), ("running", "read at the next stop"), ("exited", "not kept")):
        shot = at(stop_after("forward", frames=STACK), state)
        assert words in shown(variables.draw(shot, 60, 3, variables.Cursor(), UNICODE))


def test_the_frames_are_a_path_and_the_variables_have_figures() -> None:
    words = shown(variables.draw(in_a_stack(), 80, 4, variables.Cursor(), UNICODE))
    assert "<module>:72 › main:60 › train:41 +1 of libraries (U)" in words
    assert "x      64×1×28×28  float32  cuda:0  -0.5000 … 2.750" in words
    assert "loss   0.4312  float32  cpu" in words
    assert "epoch  3" in words


@pytest.mark.parametrize("width", [12, 30, 57, 80, 170])
def test_the_path_keeps_the_chosen_frame_in_view(width: int) -> None:
    for step in range(3):
        shot = frames.walked(in_a_stack(), step)
        lines = variables.draw(shot, width, 5, variables.Cursor(), ASCII)
        assert widest(lines) <= width
        assert shown(lines).isascii()
        if width >= 30:
            assert frames.in_words(frames.chosen_frame(shot)) in shown(lines)


def test_a_line_where_a_phase_was_seen_to_begin_is_known_and_bears_its_breakpoint() -> None:
    known = learned({}, stop_after("data", line_done=("/x/train.py", 2), line_next=("/x/train.py", 3)))
    known = learned(known, stop_after("zero_grad", line_done=("/x/train.py", 3), line_next=("/x/train.py", 4)))
    assert known == {
        ("/x/train.py", 2): ("data",),
        ("/x/train.py", 3): ("zero_grad",),
        ("/x/train.py", 4): ("forward",),
    }
    stop = stop_after("zero_grad", line_done=("/x/train.py", 3), line_next=("/x/train.py", 4), frames=())
    text = "for x in loader:\n  for x, y in loader:\n    zero()\n    y = model(x)\n"
    shot = msgspec.structs.replace(
        at(stop, breakpoints=(Breakpoint(1, "data"), Breakpoint(2, "zero_grad", enabled=False))),
        phase_lines=known,
        sources={"/x/train.py": SourceText("/x/train.py", text)},
    )
    lines = shown(source.draw(shot, Place(60, 6)).body).splitlines()
    assert lines[1].startswith("●data ")
    assert lines[2].startswith("○zero_grad ✓")
    assert lines[3].startswith(" forward   ▶")
    assert source.phase_at(shot, 1) == "data"
    assert source.phase_at(shot, 0) is None


@pytest.mark.parametrize(
    ("typed", "whole"),
    [("x", True), ("for i in y:", False), ("for i in y:\n    i", False), ("for i in y:\n    i\n", True), ("(1,", False),
     ("a = 1\nb = 2", True), ("1 +", True), ("'''", False), ("@", True), ("(" * 3000, True)],
)  # fmt: skip
def test_a_block_is_complete_when_python_says_so(typed: str, whole: bool) -> None:
    assert complete(typed) is whole


def test_what_came_of_a_command_stands_below_it() -> None:
    result = Evaluated("tensor(1.)", "hello\nyou\n", "", "y is the console's own: the function has no such variable")
    failed = Evaluated(failure="Traceback:\n  line 1\nZeroDivisionError: division by zero")
    shot = in_a_stack(
        console=(
            Exchange("for i in x:\n    print(i)", "train:41", result),
            Exchange("1/0", "train:41", failed),
            Exchange("while True: pass", "train:41", Evaluated(interrupted=True)),
            Exchange("loss", "train:41", Refusal("training is running; press p to pause")),
        )
    )
    for width in (8, 40, 120):
        drawing = console.draw(shot, Place(width, 40))
        assert widest(drawing.body) <= width
    words = shown(drawing.body)
    assert words.index(">>> for i in x:") < words.index("...     print(i)") < words.index("hello")
    for each in ("tensor(1.)", "y is the console's own", "ZeroDivisionError", "interrupted", "press p to pause"):
        assert each in words


def test_a_value_of_many_lines_is_broken_and_nothing_of_it_is_lost() -> None:
    value = "x" * 500
    drawing = console.draw(in_a_stack(console=(Exchange("v", "", Evaluated(value)),)), Place(41, 60))
    assert shown(drawing.body).count("x") == 500


def test_exchanges_belong_to_their_rank_and_old_ones_are_forgotten() -> None:
    exchanges: tuple[Exchange, ...] = ()
    for number in range(KEPT + 5):
        exchanges = after(exchanges, Typed(Exchange(str(number), ""), 0))
        assert under_way(exchanges)
        exchanges = after(exchanges, Replied(Evaluated("1"), 0))
    assert len(exchanges) == KEPT
    assert not under_way(exchanges)
    other = reduced(in_a_stack(), Typed(Exchange("1", ""), 1))
    assert not other.console
    assert other.of_rank(1).console


async def test_the_source_panel_follows_the_frame_and_lists_its_variables() -> None:
    async with stage() as here:
        await here.step_to("backward")
        await here.press("6")
        await here.until_seen("loss.backward()", "+1 of libraries (U)", "logits")
        assert "float32" in here.text
        await here.press("u")
        await here.until_seen("textbook.py:94 ", "FEATURES     12")
        assert "logits" not in here.panel("source").text()
        await here.press("U", "d")
        await here.until_seen("_contextlib.py:124")
        await here.click_on("train:73", start=True)
        await here.until(lambda: frames.chosen(here.app.snapshot) == 0, "the innermost frame by the mouse")
        await here.step()
        await here.until_seen("optimizer.step()")


@both_sizes
async def test_enter_on_a_variable_that_is_a_tensor_opens_it(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("6")
        await here.until_seen("logits")
        await here.press("L")
        panel = here.panel("source")
        names = [row.name for row in variables.rows(here.app.snapshot)]
        await here.press(*["down"] * names.index("logits"))
        assert panel.chosen() == "logits"
        await here.press("enter")
        await here.until(lambda: here.tensor.view is not None and here.tensor.view.object == "logits", "the tensor")
        assert here.app.panel_layout.focused_name() == "tensor"


async def test_a_double_click_on_a_variable_opens_it() -> None:
    async with stage() as here:
        await here.step_to("backward")
        await here.press("6")
        await here.until_seen(" logits ")
        for y, line in enumerate(here.text.splitlines()):
            if line.startswith("   logits "):
                await here.pilot.click(offset=(line.index("logits"), y), times=2)
                break
        await here.until(lambda: here.app.panel_layout.focused_name() == "tensor", "the tensor panel")
        assert here.tensor.object == "logits"


async def test_b_on_a_line_sets_a_breakpoint_on_its_phase_and_the_margin_shows_it() -> None:
    async with stage((160, 50)) as here:
        await here.step_to("step")
        await here.press("6")
        panel = here.panel("source")
        line = next(n for n, text in enumerate(_lines(here)) if "loss = functional" in text)
        await here.until(lambda: panel.total > line, "the code")
        await here.click_on("loss = functional")
        assert panel.cursor == line
        await here.press("b")
        await here.until_seen("Breakpoint on loss")
        await here.press("enter")
        await here.until(lambda: "●loss" in panel.text(), "the mark in the margin")


def _lines(here: Stage) -> list[str]:
    return Path(here.app.snapshot.stop.boundary.file).read_text().splitlines()


async def type_in(here: Stage, words: str) -> None:
    """Type into the input of the console."""
    names = {" ": "space", ":": "colon", "(": "left_parenthesis", ")": "right_parenthesis", "_": "underscore"}
    await here.press(*[names.get(character, character) for character in words])


@both_sizes
async def test_python_is_typed_run_recalled_and_left(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("exclamation_mark")
        await here.until(lambda: here.panel("console").typing, "the input")
        assert "enter run" in here.footer
        assert "n next" not in here.footer
        await type_in(here, "epoch + 41")
        await here.press("enter")
        await here.until(lambda: "\n 42" in here.panel("console").text(), "the value")
        await type_in(here, "for n in range(2):")
        await here.press("enter")
        await type_in(here, "print(n + 70)")
        await here.press("enter", "enter")
        await here.until(lambda: "\n 70\n 71" in here.panel("console").text(), "what the block has printed")
        assert here.fake.evaluated == ["epoch + 41", "for n in range(2):\n    print(n + 70)"]
        await here.press("up", "up", "up", "up")
        line = here.panel("console").input
        assert line.text == "epoch + 41"
        await here.press("down", "down")
        assert line.text == ""
        await type_in(here, "log")
        await here.press("tab")
        await here.until(lambda: line.text == "logits", "the completed name")
        await here.press("ctrl+c")
        assert line.text == ""
        await type_in(here, "lo")
        await here.press("tab")
        await here.until_seen("logits  loss")
        before = here.app.snapshot.boundary
        await here.press("n")
        assert here.app.snapshot.boundary == before
        await here.press("escape")
        await here.step()


async def test_a_paste_too_long_is_refused_in_a_line_and_a_short_one_is_taken() -> None:
    async with stage() as here:
        await here.press("exclamation_mark")
        line = here.panel("console").input
        line.post_message(events.Paste("x" * 1_000_000))
        await here.until_seen("1.0 MB are too much for the console")
        assert line.text == ""
        line.post_message(events.Paste("a = 1\r\nb = 2"))
        await here.until(lambda: line.text == "a = 1\nb = 2", "the paste")


async def test_what_is_typed_ahead_is_run_in_turn_and_the_draft_stays() -> None:
    async with stage() as here:
        await here.step_to("backward")
        await here.press("exclamation_mark")
        await here.until(lambda: here.panel("console").typing, "the input")
        answer, gate = here.app.hub.answer, asyncio.Event()

        async def late(query: Query, rank: int | None = None) -> Result:
            if isinstance(query, Evaluate):
                await gate.wait()
            return await answer(query, rank)

        here.app.hub.answer = late  # type: ignore[assignment, method-assign]
        for command in ("epoch + 40", "epoch + 41", "epoch + 42"):
            await type_in(here, command)
            await here.press("enter")
        await here.until_seen("epoch + 41, and 1 more: waits for the command before")
        await type_in(here, "draft")
        gate.set()
        await here.until(lambda: len(here.fake.evaluated) == 3, "all three")
        await here.until(lambda: "waits for" not in here.panel("console").text(), "nothing that waits")
        assert here.fake.evaluated == ["epoch + 40", "epoch + 41", "epoch + 42"]
        assert here.panel("console").input.text == "draft"


async def test_what_runs_is_interrupted_with_ctrl_c_and_not_twice_at_once() -> None:
    async with stage() as here:
        sent: list[object] = []
        await here.press("exclamation_mark")
        here.app.snapshot = reduced(here.app.snapshot, Typed(Exchange("while True: pass", "train:7"), 0))
        here.app.paint()
        await here.until_seen("runs; ctrl+c interrupts it", "ctrl+c interrupt")
        await type_in(here, "1")
        await here.press("enter")
        await here.until_seen("1: waits for the command before")
        await type_in(here, "2")
        here.app.hub.send = sent.append  # type: ignore[assignment, method-assign]
        await here.press("ctrl+c", "ctrl+c")
        assert sent == [Interrupt(0)]
        await here.until(lambda: "waits for" not in here.panel("console").text(), "nothing that waits")


async def test_a_read_only_session_has_no_console_and_says_so() -> None:
    async with stage(readonly=True) as here:
        await here.press("exclamation_mark")
        assert not here.panel("console").typing
        await here.press("9")
        await here.until_seen("This session is read-only", "--readonly to use the console")
        assert "! console" not in here.footer
