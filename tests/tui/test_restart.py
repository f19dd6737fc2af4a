"""R under a pilot, on a real hub whose target is the fake debuggee in a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from hub.room import real_hub
from tui.stage import Stage, stage

from stepdbg.tui.actions.action import applicable
from stepdbg.tui.app import StepdbgApp


@contextlib.asynccontextmanager
async def program(*argv: str) -> AsyncIterator[Stage]:
    """The screen on a program that runs on a terminal of its own."""
    async with real_hub(*argv) as folder:
        app = StepdbgApp(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            here = Stage(app, pilot, None, None)  # type: ignore[arg-type]
            await here.until(lambda: app.panel_layout.panels and app.hub.questions, "the panels")
            yield here


async def paused_in_run(here: Stage, run: int) -> None:
    snapshot = lambda: here.app.snapshot  # noqa: E731
    await here.until(lambda: snapshot().session.run == run and snapshot().paused, f"the first stop of run {run}")
    await here.until(lambda: not here.app.hub.questions.busy, "the answers")


async def test_r_asks_while_training_is_alive_and_not_after_its_end() -> None:
    async with program("-m", "stepdbg.testing", "2") as here:
        await paused_in_run(here, 1)
        await here.step()
        await here.step()
        await here.press("2")
        await here.until(lambda: here.tensor.editable(), "the numbers")
        await here.press("R")
        await here.until_seen("Run target.py again", "ends at update 1", "breakpoints are kept")
        await here.press("escape")
        await here.until(lambda: len(here.app.screen_stack) == 1, "the question's end")
        assert here.app.snapshot.session.run == 1
        await here.press("R", "enter")
        await paused_in_run(here, 2)
        await here.until_seen("PAUSED before data")
        assert here.app.snapshot.losses == ()
        assert here.app.panel_layout.focused_name() == "tensor"
        await here.until(lambda: here.tensor.editable(), "the numbers of the new run")
        await here.press("c")
        await here.until_seen("PAUSED at the end of the script")
        await here.press("R")
        await paused_in_run(here, 3)
        await here.press("c")
        await here.until_seen("PAUSED at the end of the script")
        await here.press("n")
        await here.until_seen("EXITED", "R to run it again")
        await here.press("R")
        await paused_in_run(here, 4)


async def test_r_after_a_crash_runs_the_script_as_it_is_now(tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "train.py"
    script.write_text("raise SystemExit(3)")
    async with program(str(script)) as here:
        await here.until_seen("EXITED", "with status 3")
        script.write_text("from stepdbg.testing.__main__ import main\nmain()")
        await here.press("R")
        await paused_in_run(here, 2)
        await here.until_seen("PAUSED before data")


async def test_a_session_that_somebody_else_has_started_cannot_be_run_again() -> None:
    async with stage() as here:
        assert applicable("R", here.app.action_context()) is None
