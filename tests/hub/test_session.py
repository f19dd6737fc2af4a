"""What a hub does, told by fake debuggees and screens on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket

import msgspec
import pytest
from hub.room import Screen, hub_here

from stepdbg.hub.ranks.rank import Asked
from stepdbg.protocol.messages import (
    AddBreakpoint,
    ApplyEdit,
    Breakpoint,
    EditDone,
    EditPreview,
    Evaluate,
    Evaluated,
    Interrupt,
    Interruptible,
    Leave,
    ListLocals,
    ListObjects,
    Locals,
    LookAt,
    Objects,
    PreviewEdit,
    Progress,
    ReadSource,
    Refusal,
    RemoveBreakpoint,
    SourceText,
    Steer,
    SwitchBreakpoint,
    TargetExited,
    TensorView,
    UndoEdit,
)
from stepdbg.protocol.runtime_folder import OUTPUT_LOG, RANK_SOCKET
from stepdbg.testing import FakeDebuggee

PHASES = ["data", "zero_grad", "forward", "loss", "backward", "step"]


async def test_training_stops_before_its_first_phase_and_n_runs_one_phase() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder, updates=3).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        done = []
        for _ in range(7):
            before = screen.stop.boundary.index
            screen.connection.send(Steer("next"))
            await screen.until(lambda s, before=before: s.session.state == "paused" and s.stop.boundary.index > before)
            done.append(screen.stop.boundary.done)
        assert done == [*PHASES, "data"]
        screen.connection.send(Leave("go on"))
        await screen.connection.close()
        await asyncio.to_thread(debuggee.join)


async def test_the_losses_up_to_a_stop_are_there_before_the_stop() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder, updates=50).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        screen.connection.send(AddBreakpoint(Breakpoint(0, update=30)))
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "breakpoint")
        assert [update for update, _ in screen.losses] == list(range(1, 30))
        late = await Screen.open(hub.folder)
        await late.until(lambda s: s.losses)
        assert late.losses == screen.losses


async def test_finish_stops_where_the_next_update_opens() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        for update in (2, 3):
            screen.connection.send(Steer("finish"))
            await screen.until(lambda s, u=update: s.session.state == "paused" and s.stop.boundary.opens == u)


async def test_a_breakpoint_counts_its_hits_and_can_be_switched_off_and_removed() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder, updates=10**6, pace=0.001).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        send = screen.connection.send
        send(AddBreakpoint(Breakpoint(0, phase="backward")))
        send(AddBreakpoint(Breakpoint(0, phase="backward")))
        for hits in (1, 2):
            send(Steer("continue"))
            await screen.until(
                lambda s, h=hits: s.session.state == "paused" and [b.hits for b in s.session.breakpoints] == [h]
            )
            assert screen.stop.boundary.next == "backward"
        assert len(screen.session.breakpoints) == 1
        send(SwitchBreakpoint(1, False))
        send(Steer("continue"))
        await screen.until_state("running")
        send(Steer("pause"))
        session = await screen.until_state("paused")
        assert screen.stop.reason == "pause"
        assert session.breakpoints[0].hits == 2
        send(RemoveBreakpoint(1))
        await screen.until(lambda s: not s.session.breakpoints)


async def test_a_pause_that_has_to_wait_for_a_boundary_is_told_to_all_screens() -> None:
    async with hub_here(go="continue") as hub:
        FakeDebuggee(hub.folder, updates=2, pace=2.0).start()
        screen, other = await Screen.open(hub.folder), await Screen.open(hub.folder)
        await screen.until(lambda s: any(isinstance(one, Progress) for one in s.heard))  # the first phase has begun
        screen.connection.send(Steer("pause"))
        await other.until(lambda s: s.session.ranks and s.session.ranks[0].pausing)
        await other.until_state("paused")
        assert not other.session.ranks[0].pausing


async def test_a_breakpoint_set_while_training_runs_is_met() -> None:
    async with hub_here(go="continue") as hub:
        FakeDebuggee(hub.folder, updates=10**6, pace=0.001).start()
        screen = await Screen.open(hub.folder)
        await screen.until_state("running")
        screen.connection.send(AddBreakpoint(Breakpoint(0, phase="step", when="after")))
        await screen.until_state("paused")
        assert (screen.stop.reason, screen.stop.boundary.done) == ("breakpoint", "step")


async def test_an_edit_arrives_in_training_is_in_the_journal_and_can_be_undone() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        ask = screen.connection.ask
        before = debuggee.values("model.fc1.weight")
        preview = await ask(PreviewEdit("model.fc1.weight", "old * 1.5", (0, 0)))
        assert isinstance(preview, EditPreview)
        assert debuggee.values("model.fc1.weight") == before
        assert isinstance(await ask(ApplyEdit(preview.token)), EditDone)
        await screen.until(lambda s: s.session.edits)
        assert debuggee.values("model.fc1.weight") != before
        assert isinstance(await ask(UndoEdit()), EditDone)
        await screen.until(lambda s: s.session.edits[0].undone)
        assert debuggee.values("model.fc1.weight") == before
        for query in (PreviewEdit("model.fc1.weight", "old *"), PreviewEdit("nothing", "1"), ApplyEdit(99), UndoEdit()):
            assert isinstance(await ask(query), Refusal), query


async def test_a_readonly_session_refuses_edits_and_answers_all_else() -> None:
    async with hub_here(readonly=True) as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        refusal = await screen.connection.ask(PreviewEdit("model.fc1.weight", "0"))
        assert isinstance(refusal, Refusal)
        assert "--readonly" in refusal.problem
        assert isinstance(await screen.connection.ask(ListObjects()), Objects)
        assert isinstance(await screen.connection.ask(LookAt("model.fc1.weight", bins=4)), TensorView)


async def test_running_training_is_not_asked_but_its_source_can_be_read() -> None:
    async with hub_here(go="continue") as hub:
        FakeDebuggee(hub.folder, updates=10**6, pace=0.001).start()
        screen = await Screen.open(hub.folder)
        await screen.until_state("running")
        refusal = await screen.connection.ask(ListObjects())
        assert isinstance(refusal, Refusal)
        assert "press p" in refusal.problem
        text = await screen.connection.ask(ReadSource(str(hub.folder / "textbook.py")))
        assert isinstance(text, SourceText)
        assert "def train(" in text.text
        missing = await screen.connection.ask(ReadSource("/no/such/file.py"))
        assert isinstance(missing, SourceText)
        assert missing.problem


async def test_an_exception_is_a_stop_that_can_be_looked_at() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder, fail_at=(2, "forward")).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exception")
        assert screen.stop.failure.type == "RuntimeError"
        assert screen.stop.boundary.inside == ("forward",)
        assert isinstance(await screen.connection.ask(ListObjects()), Objects)
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.ranks[0].state == "exited")
        await asyncio.to_thread(debuggee.join)


async def test_with_no_screen_the_end_does_not_hold_the_process_but_a_breakpoint_does() -> None:
    breakpoint = Breakpoint(0, update=5)
    async with hub_here(go="continue", breakpoints=(breakpoint,)) as hub:
        debuggee = FakeDebuggee(hub.folder, updates=10).start()
        launcher = await Screen.open(hub.folder, "command")
        await launcher.until_state("paused")
        assert launcher.stop.boundary.opens == 5
        screen = await Screen.open(hub.folder)
        screen.connection.send(Leave("go on"))
        await asyncio.to_thread(debuggee.join)
        await launcher.until(lambda s: s.session.ranks[0].state == "exited")
        assert launcher.stop.reason == "exit"


async def test_detached_with_go_on_breakpoints_wait_for_the_next_screen() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder, updates=10**6, pace=0.0005).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        screen.connection.send(AddBreakpoint(Breakpoint(0, phase="backward")))
        screen.connection.send(Leave("go on"))
        await screen.connection.close()
        watcher = await Screen.open(hub.folder, "command")
        await watcher.until_state("running")
        again = await Screen.open(hub.folder)
        await again.until_next("backward")


async def test_a_screen_is_welcomed_before_it_gets_the_output_that_nobody_has_read_yet() -> None:
    async with hub_here() as hub:
        (hub.folder / OUTPUT_LOG).write_bytes(b"the last words")
        screen = await Screen.open(hub.folder)
        await screen.until(lambda screen: screen.output == b"the last words")


async def test_a_process_that_ended_as_soon_as_it_was_born_is_heard_before_its_target_s_end() -> None:
    async with hub_here() as hub:
        screen = await Screen.open(hub.folder)
        launcher = await Screen.open(hub.folder, "launcher")
        with socket.socket(socket.AF_UNIX) as process:
            process.connect(str(hub.folder / RANK_SOCKET))
            process.sendall(json.dumps({"born": {"pid": os.getpid(), "argv": ["x.py"]}}).encode() + b"\n")
        launcher.connection.send(TargetExited(0))
        await screen.until(lambda s: s.session.exit_status is not None)
        await screen.until(lambda s: s.notices)
        assert screen.notices == ["textbook.py ended and never trained: no forward, backward or step was seen"]


async def test_a_killed_screen_leaves_training_as_it_was() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        await screen.connection.close()
        again = await Screen.open(hub.folder)
        assert again.session.state == "paused"
        again.connection.send(Steer("next"))
        await again.until_next("zero_grad")


async def test_a_second_screen_is_announced_to_both_and_both_steer() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        first = await Screen.open(hub.folder)
        await first.until_next("data")
        second = await Screen.open(hub.folder)
        await first.until(lambda s: any("second screen" in text for text in s.notices))
        second.connection.send(Steer("next"))
        await first.until_next("zero_grad")
        first.connection.send(Steer("next"))
        await second.until_next("forward")


async def test_a_process_that_hangs_up_without_a_word_is_lost_and_its_last_stop_stays() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        debuggee.vanish()
        session = await screen.until_state("lost")
        assert session.ranks[0].stop is not None
        refusal = await screen.connection.ask(ListObjects())
        assert isinstance(refusal, Refusal)


async def test_two_ranks_are_steered_each_for_itself() -> None:
    async with hub_here() as hub:
        for rank in (0, 1):
            FakeDebuggee(hub.folder, rank=rank, world=2).start()
        screen = await Screen.open(hub.folder)
        await screen.until(lambda s: [rank.state for rank in s.session.ranks] == ["paused", "paused"])
        screen.connection.send(Steer("next", rank=1))
        await screen.until(
            lambda s: (
                [(r.state, r.stop.boundary.next) for r in s.session.ranks]
                == [("paused", "data"), ("paused", "zero_grad")]
            )
        )
        answers = [await screen.connection.ask(ListObjects(), rank=rank) for rank in (0, 1, 2)]
        assert [type(answer) for answer in answers] == [Objects, Objects, Refusal]


async def test_one_step_typed_ahead_is_taken_and_no_more() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder, pace=0.05).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        for _ in range(5):
            screen.connection.send(Steer("next"))
        await screen.until_next("forward")
        stop = msgspec.structs.replace(screen.stop)
        answer = await screen.connection.ask(ListObjects())
        assert isinstance(answer, Objects)
        assert stop.boundary.index == 3


async def test_a_continue_typed_ahead_of_a_step_s_stop_is_not_lost() -> None:
    async with hub_here() as hub:
        debuggee = FakeDebuggee(hub.folder, updates=2, pace=0.02).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        screen.connection.send(Steer("next"))
        screen.connection.send(Steer("continue"))
        await screen.until(lambda one: one.stop is not None and one.stop.reason == "exit")
        assert debuggee.crash is None


async def test_python_is_run_for_the_console_unless_the_session_is_read_only() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        assert await screen.connection.ask(Evaluate(0, "epoch + 1")) == Evaluated("2")
    async with hub_here(readonly=True) as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        assert isinstance(await screen.connection.ask(ListLocals(0)), Locals)
        refusal = await screen.connection.ask(Evaluate(0, "epoch + 1"))
        assert isinstance(refusal, Refusal)
        assert "--readonly" in refusal.problem


async def test_a_process_is_signalled_only_once_it_has_said_by_which_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: sent.append((pid, number)))
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        screen.connection.send(Interrupt(0))
        await screen.until(lambda s: any("cannot be interrupted" in words for words in s.notices))
        assert not sent
        rank = hub.session.ranks[0]
        hub.session.run.heard(rank, Interruptible(60))
        screen.connection.send(Interrupt(0))
        await screen.connection.ask(ListLocals(0))
        assert sent == [(rank.hello.pid, 60)]


async def test_what_a_screen_leaves_running_is_interrupted_when_the_screen_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: sent.append((pid, number)))
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        rank = hub.session.ranks[0]
        hub.session.run.heard(rank, Interruptible(60))
        (client,) = hub.session.screens
        rank.asked[900] = Asked(client, 1, Evaluate(0, "while True: pass"), 1)
        await screen.connection.close()
        other = await Screen.open(hub.folder)
        await other.until(lambda _: sent)
        assert sent == [(rank.hello.pid, 60)]
