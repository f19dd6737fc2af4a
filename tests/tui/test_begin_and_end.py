"""How a screen begins and ends: at any moment of its start, and when training, the hub or the session goes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hub.room import hub_here
from tui.stage import DEADLINE, stage

from stepdbg.protocol.messages import RankState
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.state.ending import what_became
from stepdbg.tui.state.snapshot import Lost


async def test_a_debuggee_that_vanishes_leaves_its_last_snapshot_to_be_read() -> None:
    async with stage() as here:
        await here.step_to("backward")
        here.fake.vanish()
        await here.until(lambda: here.app.snapshot.state in ("lost", "exited"), "the loss")
        await here.until(lambda: "LOST" in here.text or "EXITED" in here.text, "the state in the header")
        assert "fc1" in here.text


async def test_a_hub_that_goes_is_said_and_the_screen_stays() -> None:
    async with stage() as here:
        await here.step()
        await here.hub_dies()
        await here.until_seen("LOST", "hub is gone", "1 training process goes on undebugged")
        assert "fc1" in here.text
        assert "n next" not in here.footer


@pytest.mark.parametrize("moments", [*range(0, 16, 3), *range(20, 200, 45)])
async def test_a_screen_may_end_at_any_moment_of_its_start(moments: int) -> None:
    async with hub_here() as hub:
        app = StepdbgApp(hub.folder)

        async def leave() -> None:
            for _ in range(moments):
                await asyncio.sleep(0)
            app.exit(2)

        leaving = asyncio.create_task(leave())
        async with asyncio.timeout(DEADLINE):
            assert await app.run_async(headless=True, size=(80, 24)) == 2
        await leaving
        assert app._exception is None


async def test_a_session_that_another_screen_has_ended_is_said_to_have_ended() -> None:
    async with stage() as here:
        await here.step()
        here.hub.end()  # as it does when its target was stopped: its folder goes before its clients are let go
        await here.until_seen("EXITED", "the session was ended from elsewhere")
        assert "hub is gone" not in here.text
        assert "fc1" in here.text


def test_what_became_of_training_is_what_its_processes_say(tmp_path: Path) -> None:
    dead, alive = RankState(0, 2**22 + 1, "paused"), RankState(1, os.getpid(), "running")
    gone = tmp_path / "gone"
    assert what_became(gone, [dead]) == Lost("the session was ended from elsewhere, and its training too", ended=True)
    assert what_became(tmp_path, [dead]) == Lost("the session's hub is gone; no training process is left")
    assert what_became(tmp_path, [dead, alive]).why.endswith("1 training process goes on undebugged")
    assert what_became(gone, [alive]).why.endswith("from elsewhere; 1 training process goes on undebugged")
