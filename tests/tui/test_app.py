"""The app under a pilot: every action by its key, and by the mouse where there is something to click."""

from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest
from harness.deadline import deadline
from hub.room import hub_here
from tui.builders import at, stop_after
from tui.stage import SIZES, stage

from stepdbg.protocol.messages import Failure
from stepdbg.tui.actions.action import ActionContext, applicable
from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.actions.why_not import HOME, why_nothing
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.drawing.lines import text
from stepdbg.tui.layout import footer
from stepdbg.tui.layout.bars import Footer
from stepdbg.tui.panel_base.registry import DIGITS, NAMES, PANELS
from stepdbg.tui.panels.tensor.slots import PART
from stepdbg.tui.records.exchanges import Exchange

both_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@both_sizes
async def test_n_steps_through_the_phases_and_each_says_what_it_did(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        seen = []
        for _ in range(6):
            await here.step()
            await here.pilot.pause()
            seen.append(here.text)
        assert "data fetched the next batch" in seen[0]
        assert "zero_grad found no gradients" in seen[1]
        assert "forward called `model`" in seen[2]
        assert "loss computed `loss`" in seen[3]
        assert "backward walked the graph" in seen[4]
        assert "step changed 4 parameters" in seen[5]


@both_sizes
async def test_the_model_panel_marks_what_changed_by_signs(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("step")
        await here.until(lambda: len(re.findall(r"\+ +\d\.", here.panel("model").text())) == 4, "four new gradients")
        await here.step()
        await here.until_seen("*      weight")


@both_sizes
async def test_f_finishes_the_update_and_c_runs_to_a_breakpoint(size: tuple[int, int]) -> None:
    async with stage(size, pace=0.001) as here:
        await here.step_to("loss")
        await here.step("f")
        assert here.app.snapshot.stop.boundary.opens == 2
        await here.step_to("backward")
        await here.press("b")
        await here.until_seen("stop before backward")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "a breakpoint")
        await here.step("c")
        stop = here.app.snapshot.stop
        assert (stop.boundary.next, stop.boundary.update, stop.reason) == ("backward", 3, "breakpoint")
        await here.until(lambda: "●backward" in here.top.text(), "the mark on the rail")


async def test_the_digits_go_to_the_panels_and_tab_goes_round() -> None:
    async with stage() as here:
        for digit, name in PANELS.items():
            await here.press(*(["escape"] if name == "findings" else []), digit)  # out of the prompt of the console
            assert here.app.panel_layout.focused_name() == name
            assert [panel.panel for panel in here.app.panel_layout.visible()] == [name]
        await here.press("1")
        order = []
        for _ in range(len(PANELS) + 1):
            order.append(here.app.panel_layout.focused_name())
            await here.press("tab")
        assert order == [*PANELS.values(), "rail"]
        assert here.app.panel_layout.focused_name() == "model"
        await here.press("shift+tab")
        assert here.app.panel_layout.focused_name() == "rail"


async def test_clicks_on_tabs_phases_rows_and_footer_do_what_the_keys_do() -> None:
    async with stage() as here:
        await here.step()
        await here.click_on("4Optim")
        await here.until_seen("betas")
        await here.click_on("1Model")
        await here.click_on("fc2")
        model = here.panel("model")
        assert model.tensor_at_hand() == "model.fc2.weight"
        await here.click_on("backward")
        assert here.app.panel_layout.focused_name() == "rail"
        assert here.top.phase() == "backward"
        before = here.app.snapshot.boundary
        await here.click_on("n next")
        await here.until(lambda: here.app.snapshot.boundary > before, "a step by the mouse")


async def test_a_double_click_on_a_parameter_opens_it() -> None:
    async with stage() as here:
        for y, line in enumerate(here.text.splitlines()):
            if " bias " in line:
                await here.pilot.click(offset=(line.index("bias"), y), times=2)
                break
        await here.until(lambda: here.app.panel_layout.focused_name() == "tensor", "the tensor panel")
        assert here.tensor.object == "model.fc1.bias"


async def test_the_wheel_scrolls() -> None:
    async with stage((80, 16)) as here:
        await here.step_to("step")
        model = here.panel("model")
        await here.until(lambda: model.total > model.body_rows, "more rows than fit")
        model.scrolled(3)
        assert model.top == 3
        assert model.top <= model.cursor < model.top + model.body_rows


async def test_left_and_right_on_the_rail_select_the_phase_that_b_acts_on() -> None:
    async with stage() as here:
        await here.press("0", "right", "right", "b")
        await here.until_seen("Breakpoint on forward", "stop after forward")
        await here.press("down", "enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "a breakpoint")
        (one,) = here.app.snapshot.session.breakpoints
        assert (one.phase, one.when, one.update) == ("forward", "after", None)


async def test_a_breakpoint_at_one_update_is_set_switched_and_removed() -> None:
    async with stage() as here:
        await here.press("b")
        await here.until_seen("stop before data")
        await here.press("tab", "7", "enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "a breakpoint")
        assert here.app.snapshot.session.breakpoints[0].update == 7
        await here.press("8")
        await here.until_seen("before data at update 7")
        await here.press("space")
        await here.until_seen("○ before data at update 7", "off")
        await here.click_on("○ before", start=True)
        await here.until_seen("● before data at update 7")
        await here.press("delete")
        await here.until_seen("No breakpoints. Press b on a phase.")


@both_sizes
async def test_an_element_is_edited_after_old_and_new_were_shown_and_x_takes_it_back(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("enter")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("down", "right")
        await here.until(lambda: here.tensor.editable().element == (1, 1), "the cursor on [1, 1]")
        before = here.fake.values("model.fc1.weight")
        await here.press("e")
        await here.until_seen("model.fc1.weight[1, 1]", "enter: preview")
        await here.press(*"old*0+12.5", "enter")
        await here.until_seen("→", "12.5", "enter: do it")
        assert here.fake.values("model.fc1.weight") == before
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit in the journal")
        assert here.fake.values("model.fc1.weight") != before
        await here.until_seen("12.50")
        await here.press("x")
        await here.until(lambda: here.app.snapshot.session.edits[0].undone, "the edit undone")
        assert here.fake.values("model.fc1.weight") == before


@pytest.mark.parametrize("expression", ["1 +", "nonsense", "[1, 2, 3]"])
async def test_a_refused_edit_shows_why_and_changes_nothing(expression: str) -> None:
    async with stage() as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        before = here.fake.values("model.fc1.weight")
        await here.press("e")
        await here.until_seen("enter: preview")
        await here.press(*[{" ": "space"}.get(key, key) for key in expression], "enter")
        problem = here.app.screen.query_one("#problem")
        await here.until(lambda: str(problem.render()).strip(), "the reason")
        assert not here.app.snapshot.session.edits
        assert here.fake.values("model.fc1.weight") == before
        await here.press("escape")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the dialog's end")


async def test_the_whole_tensor_is_edited_with_the_toggle() -> None:
    async with stage() as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("E")
        await here.until_seen("the whole tensor")
        await here.press(*"old*0", "enter")
        await here.until_seen("enter: do it")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.edits, "the edit")
        assert here.app.snapshot.session.edits[0].index is None


async def test_the_learning_rate_is_edited_in_the_optimizer_panel() -> None:
    async with stage() as here:
        await here.press("4")
        await here.until(lambda: here.panel("optimizer").editable(), "the hyperparameters")
        await here.press("e")
        await here.until_seen("['lr']")
        await here.press(*"old/2", "enter")
        await here.until_seen("→", "enter: do it")
        await here.press("enter")
        await here.until_seen("0.01")


async def test_a_session_that_forbids_edits_offers_none() -> None:
    async with stage(readonly=True) as here:
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("e")
        await here.pilot.pause()
        assert len(here.app.screen_stack) == 1
        assert "e edit" not in here.footer


async def test_v_and_a_click_show_the_gradient_and_the_state() -> None:
    async with stage() as here:
        await here.step_to("step")
        await here.step()
        await here.press("2")
        await here.until_seen("exp_avg_sq")
        await here.press("v")
        assert here.tensor.part == "grad"
        await here.until(
            lambda: here.app.snapshot.answer(PART) and here.app.snapshot.answer(PART).object.endswith(".grad"),
            "its numbers",
        )
        await here.click_on("exp_avg_sq")
        assert here.tensor.part == "exp_avg_sq"


async def test_enter_on_a_row_of_the_state_table_opens_the_parameter() -> None:
    async with stage() as here:
        await here.step_to("step")
        await here.step()
        await here.press("4")
        await here.until_seen("model.fc2.bias")
        await here.press("end", "enter")
        assert here.tensor.object == "model.fc2.bias"


@both_sizes
async def test_while_training_runs_the_screen_goes_on_and_p_pauses_it(size: tuple[int, int]) -> None:
    async with stage(size, updates=100_000, pace=0.002) as here:
        await here.press("5", "c")
        await here.until_seen("RUNNING in ")
        await here.until(lambda: here.app.snapshot.losses and len(here.app.snapshot.losses[0].points) > 5, "losses")
        assert "n next" not in here.footer
        assert "p pause" in here.footer
        await here.press("n", "e", "f")
        await here.press("p")
        await here.until_seen("PAUSED before")
        assert here.app.snapshot.stop.reason == "pause"


async def test_a_watched_value_has_a_line_and_the_header_shows_the_loss_all_the_same() -> None:
    async with stage(watch="accuracy", updates=100_000, pace=0.002) as here:
        await here.press("5")
        await here.step("f")
        await here.step("f")
        await here.until_seen("accuracy -2", "2 lines", "loss ")
        await here.press("c")
        await here.until_seen("RUNNING in ", "loss ")
        progress = lambda: here.app.snapshot.progress  # noqa: E731
        await here.until(lambda: progress() and progress().update > 4, "progress")
        assert progress().loss >= 0
        assert "loss -" not in here.text.splitlines()[0]
        await here.press("p")
        await here.until_seen("PAUSED before")


async def test_an_exception_is_a_stop_that_can_be_looked_at() -> None:
    async with stage(fail_at=(2, "forward")) as here:
        await here.press("c")
        await here.until_seen("PAUSED on")
        await here.press("1")
        await here.until_seen("fc1")


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (160, 50)])
async def test_an_exception_shows_the_users_line_and_its_message_at_once(size: tuple[int, int]) -> None:
    async with stage(size, fail_at=(2, "forward")) as here:
        await here.press("c")
        await here.until_seen("PAUSED on", "mat1 and mat2 shapes", "… !", "forward of model.fc1", "x 8×12")
        assert here.app.panel_layout.is_shown("source")
        assert here.app.panel_layout.chosen[0] == "model", "what is kept of the layout is what the user wanted"
        await here.press("1")
        await here.until_seen("fc1")
        assert here.app.panel_layout.chosen[0] == "model"


async def test_the_end_of_the_script_is_a_stop_and_its_loss_a_last_word() -> None:
    async with stage(updates=2) as here:
        await here.press("c")
        await here.until_seen("PAUSED at the end of the script")
        await here.press("n")
        await here.until(lambda: here.app.snapshot.state != "paused", "the end")
        await here.press("1")
        await here.until_seen("fc1")


@both_sizes
async def test_resizing_keeps_selection_and_panel(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.press("1", "down", "down", "down")
        cursor = here.panel("model").cursor
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("down", "right")
        for width, height in ((40, 12), (20, 5), (1, 1), (200, 60), (160, 50), (80, 24)):
            await here.pilot.resize_terminal(width, height)
            await here.pilot.pause()
        assert here.panel("model").cursor == cursor
        assert here.app.panel_layout.current == "tensor"
        assert (here.tensor.cursor, here.tensor.column) == (1, 1)
        await here.step()


@pytest.mark.parametrize("size", [(20, 5), (24, 9), (40, 12), (60, 20), (100, 30), (139, 60), (300, 90)])
async def test_any_size_shows_the_state_and_says_what_is_hidden(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        assert "PAUSED" in here.text
        assert len(here.text.splitlines()) == size[1]
        assert ("hidden: panels" in here.text) == (not here.app.panel_layout.visible())
        await here.step()


async def test_ascii_draws_with_plain_characters_only() -> None:
    async with stage((160, 50), ascii_only=True) as here:
        await here.step_to("step")
        assert here.text.isascii()
        for key in ("question_mark", "q", "b"):
            await here.press(key)
            await here.pilot.pause()
            assert here.text.isascii()
            await here.press("escape")
        await here.press("ctrl+p")
        await here.until_seen("set a breakpoint", "Search")
        assert here.text.isascii()


async def test_help_and_palette_list_the_actions() -> None:
    async with stage() as here:
        await here.press("question_mark")
        await here.until_seen("Keys", "Signs", "In this panel, now", "open what is under the cursor")
        await here.press("escape")
        names = [command.title for command in here.app.get_system_commands(here.app.screen)]
        assert any(name.startswith("next (n") for name in names)
        assert not any(name.startswith("pause") for name in names)
        await here.press("ctrl+p")
        await here.until(lambda: len(here.app.screen_stack) == 2, "the palette")


@pytest.mark.parametrize(("key", "state"), [("g", "running"), ("s", "paused")])
async def test_leaving_asks_and_training_goes_on_or_stays(key: str, state: str) -> None:
    async with stage(updates=100_000, pace=0.002) as here:
        await here.press("q")
        await here.until_seen("Leave the session", "training stays stopped", "stepdbg attach", "stepdbg stop")
        await here.until_seen("1 training process stays in the background")
        await here.press("escape")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the question's end")
        await here.press("q", key)
        await here.until(lambda: here.hub.session.state == state and not here.hub.session.screens, state)
        assert "stepdbg attach" in here.app.farewell


async def test_what_is_chosen_at_first_on_leaving_loses_nothing_and_lets_nothing_run_on() -> None:
    async with stage(updates=100_000, pace=0.002) as here:
        await here.press("q", "enter")
        await here.until(lambda: not here.hub.session.screens, "the screen's end")
        assert here.hub.session.state == "paused"
        assert "training stays as it is" in here.app.farewell


async def test_steering_before_the_first_stop_is_answered_in_words() -> None:
    async with hub_here() as hub:
        app = StepdbgApp(hub.folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.press("c")
            assert "c: training has not come to its first phase yet" in app.query_one(Footer).text()


async def test_a_key_that_does_nothing_here_sends_nothing() -> None:
    async with stage() as here:
        here.app.snapshot.session  # noqa: B018  # a stop: nothing runs, so there is nothing to pause
        situation = here.app.action_context()
        assert applicable("p", situation) is None
        assert applicable("x", situation) is None
        before = here.app.snapshot.boundary
        for key, words in (
            ("p", "p: nothing runs that could be paused; q leaves"),
            ("ctrl+c", "ctrl+c: nothing runs that could be paused; q leaves"),
            ("x", "x: there is no edit to undo"),
            ("P", "P does nothing here; ? lists the keys"),
        ):
            await here.press(key)
            assert words in here.footer
        await here.press("v")
        assert "v: go to panel 2 (show the next part of the tensor)" in here.footer
        await here.press("3")
        assert "n next" in here.footer
        await here.press("O")
        assert "O: go to panel 1 (sort by the next column, or as the modules hold" in here.footer
        await here.press("I", "Q", "9")
        await here.pilot.pause()
        assert here.app.snapshot.boundary == before
        assert len(here.app.screen_stack) == 1


def test_a_key_of_another_panel_names_that_panel_before_all_else_it_says() -> None:
    there = {"part": 2, "sort": 1, "switch": 8, "variables": 6, **{one: DIGITS[home] for one, home in HOME.items()}}
    keys = {one.id: one.keys[0] for one in ACTIONS}
    snapshot = at(stop_after("loss"))
    for panel in NAMES:
        for action, digit in there.items():
            if DIGITS.get(panel) != str(digit):
                said = why_nothing(keys[action], ActionContext(snapshot, panel, actions=ACTIONS))
                assert said.startswith(f"{key_name(keys[action])}: go to panel {digit} ("), (panel, action, said)
    said = why_nothing("D", ActionContext(snapshot, "model", actions=ACTIONS))
    assert text(footer.status(said, ActionContext(snapshot, "model", actions=ACTIONS), 80)).endswith("…  ? help ")


def test_what_begins_at_a_stop_says_why_it_does_not_begin_here() -> None:
    last, first = stop_after("step"), at(stop_after("step"))
    end = msgspec.structs.replace(last.boundary, next=None, opens=None)
    over = at(msgspec.structs.replace(last, reason="exit", boundary=end))
    raised = at(msgspec.structs.replace(last, reason="exception", failure=Failure("E", "no", ""), boundary=end))
    running = msgspec.structs.replace(first.session.ranks[0], state="running")
    runs = msgspec.structs.replace(first, session=msgspec.structs.replace(first.session, ranks=(running,)))
    for snapshot, keys, why in (
        (over, "sIt", "the script has come to its end"),
        (raised, "sIt", "an exception is on its way out; c lets it go on"),
        (runs, "sIt", "training runs; p pauses it"),
        (msgspec.structs.replace(first, lost="the hub is gone"), "ncfsIt", "nothing can be steered from here any more"),
        (first, "I", "data has nothing inside that could be gone through"),
        (first, "X", "training is on its way to no place that it was told to run to"),
        (msgspec.structs.replace(first, past_at=3), "ItX", "this is the past; esc leads back to now"),
    ):
        context = ActionContext(snapshot, "model", actions=ACTIONS)
        assert [why_nothing(key, context) for key in keys] == [f"{key}: {why}" for key in keys]


def test_what_is_offered_only_at_times_has_a_panel_where_that_is() -> None:
    everywhere = frozenset(one.id for one in ACTIONS)
    here = [ActionContext(at(stop_after("loss")), panel, selected=True, editable=True) for panel in NAMES]
    with_all = [msgspec.structs.replace(one, offers=everywhere) for one in here]
    at_times = {one.id for one in ACTIONS if all(map(one.applies, with_all)) and not any(map(one.applies, here))}
    assert at_times - {"copy", "copy_more"} == HOME.keys()


@pytest.mark.parametrize("typing", [False, True])
@pytest.mark.parametrize("panel", NAMES)
def test_no_key_means_two_things_at_once(panel: str, typing: bool) -> None:
    typed = (Exchange("while True: pass", "train:7"),)
    for snapshot in (
        at(stop_after("loss")),
        at(stop_after("loss"), "running"),
        msgspec.structs.replace(at(stop_after("loss")), console=typed),
    ):
        here = ActionContext(snapshot, panel, editable=True, selected=True, typing=typing, actions=ACTIONS)
        for key in {key for action in ACTIONS for key in action.keys}:
            meant = [action.id for action in ACTIONS if key in action.keys and action.applies(here)]
            assert len(meant) <= 1, (key, meant)


def test_the_app_imports_neither_torch_nor_numpy_nor_a_highlighter() -> None:
    code = "import sys, stepdbg.tui.app; print([m for m in ('torch', 'numpy', 'pygments') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=deadline(60)
    )
    assert result.stdout.strip() == "[]"


async def test_b_proposes_to_watch_the_value_under_the_cursor_and_to_stop_at_the_module() -> None:
    async with stage() as here:
        model = here.panel("model")
        await here.until(lambda: model.chosen() == "model.fc1.weight", "the first parameter under the cursor")
        await here.press("b")
        await here.until_seen("stop when model.fc1.weight changes", "stop at the gradient of model.fc1.weight")
        await here.press("down", "down", "enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "a watchpoint")
        (one,) = here.app.snapshot.session.breakpoints
        assert (one.watch.name, one.watch.how) == ("model.fc1.weight", "changes")
        await here.press("8")
        await here.until_seen("when model.fc1.weight changes")
        await here.until(lambda: "●" in model.text(), "the mark on the row of what is watched")
        await here.press("1", "up", "b")
        await here.until_seen("stop before forward of model.fc1", "stop after forward of model.fc1")


async def test_what_is_typed_over_the_lines_of_a_dialog_goes_to_its_field_and_a_whole_breakpoint_is_one_by_itself() -> (
    None
):
    async with stage() as here:
        await here.press("b", *"step")
        await here.until(lambda: here.app.screen.query_one("#field").value == "step", "the field takes it")
        await here.press("space", *"once", "enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "a breakpoint")
        await here.press("b", *"if", "space", *"loss>2", "enter")
        await here.until(lambda: len(here.app.snapshot.session.breakpoints) == 2, "another")
        first, second = here.app.snapshot.session.breakpoints
        assert (first.phase, first.once, first.condition) == ("step", True, "")
        assert (second.phase, second.condition) == (here.app.snapshot.stop.boundary.next, "loss>2")
        await here.press("b", *"stepp", "space", *"now", "enter")
        await here.until(lambda: "cannot read" in str(here.app.screen.query_one("#problem").render()), "what is wrong")
        assert len(here.app.snapshot.session.breakpoints) == 2
