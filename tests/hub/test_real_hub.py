"""The hub as its own process, with the keeper and a target on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
from hub.room import DEADLINE, Screen, real_hub, runtime

from stepdbg import cli
from stepdbg.commands.stop import stop_session
from stepdbg.errors import OtherVersion, SessionError
from stepdbg.hub.launch import INJECT, Launch, start_hub, target_variables
from stepdbg.hub.process.session_file import living_sessions, read_session_file
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    AddBreakpoint,
    Breakpoint,
    Leave,
    Noted,
    Output,
    ResizeTerminal,
    Restart,
    SendInput,
    ShowStack,
    Steer,
    SwitchBreakpoint,
)


async def test_a_session_from_first_stop_to_the_removal_of_its_folder() -> None:
    async with real_hub("-m", "stepdbg.testing", "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        assert read_session_file(folder).state == "paused"  # type: ignore[union-attr]
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exit")
        await screen.until(lambda s: s.output.count(b"update") == 5)
        screen.connection.send(Steer("continue"))
        session = await screen.until_state("exited")
        assert session.exit_status == 0
        assert session.ranks[0].stop is not None
        screen.connection.send(Leave("go on"))
        await screen.until_the_hub_has_gone()
        assert not folder.exists()


async def test_a_late_screen_gets_the_output_so_far() -> None:
    async with real_hub("-c", "print('hello'); input()") as folder:
        first = await Screen.open(folder)
        await first.until(lambda s: b"hello" in s.output)
        late = await Screen.open(folder)
        await late.until(lambda s: b"hello" in s.output)


async def test_input_and_size_reach_the_script() -> None:
    async with real_hub("-c", "import os; print(input(), os.get_terminal_size().columns)", columns=70) as folder:
        screen = await Screen.open(folder)
        screen.connection.send(ResizeTerminal(77, 20))
        screen.connection.send(SendInput(b"hi\r"))
        await screen.until_state("exited")
        assert b"hi 77" in screen.output


async def test_a_script_that_never_trains_is_remarked_on_and_its_output_stays() -> None:
    async with real_hub("-c", "print('nothing to learn')") as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: s.notices)
        await screen.until_state("exited")
        assert screen.notices == ["target.py ended and never trained: no forward, backward or step was seen"]
        assert b"nothing to learn" in screen.output


async def test_a_script_that_has_no_use_for_an_option_of_stepdbg_s_is_remarked_on_with_the_place_for_it() -> None:
    async with real_hub("-c", "raise SystemExit(2)", "-b", "step") as folder:
        screen = await Screen.open(folder)
        await screen.until_state("exited")
        await screen.until(lambda s: "if -b is meant for stepdbg: write it before the script" in s.notices)


async def test_python_started_with_dash_i_is_remarked_on_with_the_remedy() -> None:
    async with real_hub("-I", "-c", "pass") as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: s.notices)
        assert "-I, -E or -S" in screen.notices[0]


async def test_stop_ends_a_target_that_ignores_sigterm() -> None:
    code = "import os, signal; signal.signal(15, signal.SIG_IGN); print('pid', os.getpid(), flush=True); signal.pause()"
    async with real_hub("-c", code) as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: s.output.endswith(b"\n"))
        pid = int(screen.output.split()[1])
        screen.connection.send(Leave("stop"))
        await screen.until_the_hub_has_gone()
        assert not folder.exists()
        await until_gone(pid)


async def test_a_killed_hub_leaves_training_running_to_its_end(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = (
        "import os, pathlib; from stepdbg.testing import FakeDebuggee; "
        "FakeDebuggee(pathlib.Path(os.environ['STEPDBG_SESSION']), updates=200).train(); "
        f"pathlib.Path({str(done)!r}).write_text('to the end')"
    )
    async with real_hub("-c", code) as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        os.kill(read_session_file(folder).hub, signal.SIGKILL)  # type: ignore[union-attr]
        await screen.until_the_hub_has_gone()
        async with asyncio.timeout(DEADLINE):
            while not done.exists():
                await asyncio.sleep(0.02)
        assert screen.stop is not None


async def test_a_killed_keeper_leaves_training_steered_as_before_and_its_exit_status_known() -> None:
    program = "import sys; from stepdbg.testing.__main__ import main; main(); print('the end'); sys.exit(7)"
    async with real_hub("-c", program, "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        parent = int(Path(f"/proc/{screen.session.ranks[0].pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        await screen.until(lambda s: any("keeper" in text for text in s.notices))
        screen.connection.send(Steer("next"))
        await screen.until_next("zero_grad")
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exit")
        screen.connection.send(Steer("continue"))
        session = await screen.until_state("exited")
        assert session.exit_status == 7
        assert screen.output.count(b"update") == 5
        assert b"the end" in screen.output


async def test_a_hub_whose_folder_is_gone_ends_once_no_screen_is_there_and_training_goes_on(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = (
        f"import sys; from stepdbg.testing.__main__ import main; main(); open({str(done)!r}, 'w').write('to the end')"
    )
    async with real_hub("-c", code, "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        hub = read_session_file(folder).hub  # type: ignore[union-attr]
        shutil.rmtree(folder)
        screen.connection.send(Steer("next"))
        await screen.until_next("zero_grad")
        await screen.connection.close()
        async with asyncio.timeout(DEADLINE):
            assert await asyncio.to_thread(os.waitpid, hub, 0) == (hub, 0)
        async with asyncio.timeout(DEADLINE):
            while not done.exists() or not done.read_text():
                await asyncio.sleep(0.02)


async def test_output_that_no_disk_takes_is_on_the_screen_and_that_is_said_once() -> None:
    program = (
        "import os; print('one', flush=True); input(); os.write(1, b'x' * 200_000); "
        "print('two', flush=True); input(); print('three')"
    )
    async with real_hub("-c", program) as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: b"one" in s.output)
        keeper = next(
            int(pid)
            for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            if b"stepdbg.hub" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        (keeper,) = map(int, Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split())
        resource.prlimit(keeper, resource.RLIMIT_FSIZE, (1000, 1000))
        for _ in range(2):
            screen.connection.send(SendInput(b"\r"))
            await screen.until(lambda s: b"two" in s.output)
        await screen.until_state("exited")
        assert screen.output.replace(b"\r\n", b"").startswith(b"one" + b"x" * 200_000 + b"two")
        assert b"three" in screen.output
        assert ["cannot be written (File too large)" in text for text in screen.notices].count(True) == 1


async def test_a_dead_hub_is_not_listed_and_a_living_one_is() -> None:
    async with real_hub("-m", "stepdbg.testing", "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        assert [session_file.name for session_file in living_sessions()] == [folder.name]
        os.kill(read_session_file(folder).hub, signal.SIGKILL)  # type: ignore[union-attr]
        await screen.until_the_hub_has_gone()
        os.utime(folder, (0, 0))
        assert living_sessions() == []
        assert not folder.exists()


async def test_a_target_that_cannot_be_executed_is_an_exit_with_a_reason() -> None:
    with runtime():
        folder = start_hub(Launch(("/no/such/program",), "program", "/"))
        screen = await Screen.open(folder)
        await screen.until_state("exited")
        await screen.until(lambda s: any("cannot run" in text for text in s.notices))
        screen.connection.send(Leave("go on"))
        await screen.until_the_hub_has_gone()


def test_the_target_finds_our_sitecustomize_first_and_no_empty_entry_is_added(tmp_path: Path) -> None:
    assert target_variables(tmp_path, {})["PYTHONPATH"] == str(INJECT)
    assert target_variables(tmp_path, {"PYTHONPATH": "/a:/b"})["PYTHONPATH"] == f"{INJECT}:/a:/b"


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.02)


async def test_a_process_that_hangs_before_its_first_phase_shows_its_stack_and_goes_on() -> None:
    code = "def the_culprit():\n    print('up', flush=True)\n    return input()\nthe_culprit()"
    async with real_hub("-c", code) as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: b"up" in s.output)
        screen.connection.send(ShowStack())
        await screen.until(lambda s: b"the_culprit" in s.output)
        screen.connection.send(SendInput(b"\r"))
        session = await screen.until_state("exited")
        assert session.exit_status == 0


async def test_a_restart_runs_the_same_again_in_the_same_session_with_breakpoints_kept(tmp_path: Path) -> None:
    program = (
        "import os; print('run', os.getpid(), os.getcwd(), flush=True); "
        "from stepdbg.testing.__main__ import main; main()"
    )
    async with real_hub("-c", program, "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        first = screen.session.ranks[0].pid
        screen.connection.send(AddBreakpoint(Breakpoint(0, "backward")))
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.stop.reason == "breakpoint" and s.session.breakpoints[0].hits)
        screen.heard.clear()
        screen.connection.send(Restart())  # while it waits
        await screen.until(lambda s: s.session.run == 2)
        await screen.until_next("data")
        second = screen.session.ranks[0].pid
        assert second != first
        assert [(one.phase, one.hits) for one in screen.session.breakpoints] == [("backward", 0)]
        assert screen.session.edits == ()
        await screen.until(lambda s: f"run {second} {os.getcwd()}".encode() in s.output)
        assert screen.output.startswith(b"run")
        (start,) = [message.start for message in screen.heard if isinstance(message, Output)][:1]
        assert start == 0
        screen.connection.send(SwitchBreakpoint(1, False))
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.stop.reason == "exit")
        screen.connection.send(Steer("continue"))
        await screen.until_state("exited")
        assert read_session_file(folder).state == "exited"  # type: ignore[union-attr]
        screen.connection.send(Restart())  # after its end
        await screen.until(lambda s: s.session.run == 3)
        await screen.until_next("data")
        assert screen.session.exit_status is None
        assert [session_file.name for session_file in living_sessions()] == [folder.name]
        assert read_session_file(folder).state == "paused"  # type: ignore[union-attr]
        assert screen.session.ranks[0].pid not in (first, second)


async def test_a_target_that_ignores_its_end_is_killed_and_run_again() -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    async with real_hub("-c", program) as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: b"ready" in s.output)
        screen.heard.clear()
        screen.connection.send(Restart())
        screen.connection.send(Restart())
        await screen.until(lambda s: s.session.run == 2 and b"ready" in s.output)
        assert screen.output.count(b"ready") == 1
        assert screen.session.state == "starting"


async def test_a_condition_that_never_ends_is_interrupted_and_its_breakpoint_switched_off(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAINING)
    endless = Breakpoint(0, "step", condition="[one for one in iter(int, 1)]")
    async with real_hub(str(script), breakpoints=(endless,), go="continue") as folder:
        screen = await Screen.open(folder)
        await screen.until(lambda s: s.session.ranks and s.session.ranks[0].stop, 60)
        assert "interrupted" in screen.stop.detail
        (point,) = screen.session.breakpoints
        assert not point.enabled
        assert "did not end" in point.problem
        screen.connection.send(Steer("continue", 0))
        await screen.until(lambda s: s.stop.reason == "exit", 60)


async def test_what_a_breakpoint_notes_reaches_screens_and_those_that_come_later(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAINING)
    noting = Breakpoint(0, "step", log="i is {i}")
    async with real_hub(str(script), breakpoints=(noting,), go="continue") as folder:
        first = await Screen.open(folder)
        await first.until(lambda s: s.session.ranks and s.session.ranks[0].stop, 60)
        late = await Screen.open(folder)
        for screen in (first, late):
            await screen.until(lambda s: len([one for one in s.heard if isinstance(one, Noted)]) == 5)
            assert [one.words for one in screen.heard if isinstance(one, Noted)] == [f"i is {i}" for i in range(5)]
        await first.until(lambda s: s.session.breakpoints[0].hits == 5)


TRAINING = """
import torch
net = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(5):
    opt.zero_grad()
    net(torch.ones(3, 2)).sum().backward()
    opt.step()
"""


async def test_a_session_of_another_version_of_stepdbg_is_ended_and_attaching_says_how(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with real_hub("-m", "stepdbg.testing", "5") as folder:
        screen = await Screen.open(folder)
        session = await screen.until_next("data")
        await screen.connection.close()
        monkeypatch.setattr("stepdbg.hub.client.PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
        with pytest.raises(OtherVersion, match=f"`stepdbg stop {folder.name}` ends it") as refused:
            await Screen.open(folder)
        assert refused.value.version == PROTOCOL_VERSION
        assert await asyncio.to_thread(stop_session, folder.name) == 0
        assert f"{folder.name} has ended" in capsys.readouterr().err
        assert not folder.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(session.ranks[0].pid, 0)


async def test_a_session_of_a_version_that_understands_no_word_of_this_one_is_not_said_to_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with real_hub("-m", "stepdbg.testing", "5") as folder:
        screen = await Screen.open(folder)
        await screen.until_next("data")
        with monkeypatch.context() as other:
            other.setattr("stepdbg.hub.client.PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
            other.setattr("stepdbg.hub.client.version_told", lambda _: PROTOCOL_VERSION + 2)
            with pytest.raises(SessionError, match="does not understand this one"):
                await asyncio.to_thread(stop_session, folder.name)
        assert screen.session.state == "paused"


async def test_an_interrupt_before_the_first_frame_ends_the_session_that_nobody_has_seen() -> None:
    def interrupted(folder: Path | None, *, shown: bool) -> None:
        with contextlib.suppress(KeyboardInterrupt), cli._ended_if_never_shown(folder) as at_first_frame:
            if shown:
                at_first_frame()
            raise KeyboardInterrupt

    async with real_hub("-m", "stepdbg.testing", "5") as folder:
        await asyncio.to_thread(interrupted, folder, shown=True)
        await asyncio.to_thread(interrupted, None, shown=False)  # it was attached to
        screen = await Screen.open(folder)
        await screen.until_next("data")
        await asyncio.to_thread(interrupted, folder, shown=False)
        await screen.until_the_hub_has_gone()
        assert not folder.exists()
