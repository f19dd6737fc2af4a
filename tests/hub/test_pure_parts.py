"""The parts of the hub that need no process: texts, the table of breakpoints, the bounded past, the output's tail."""

from __future__ import annotations

import itertools
import os
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdbg.commands.command_line.parse import _FLAGS, _VALUED
from stepdbg.errors import UsageError
from stepdbg.hub.breakpoints.table import BreakpointTable
from stepdbg.hub.history.source_files import read_source
from stepdbg.hub.history.timeline import LossHistory, Timeline
from stepdbg.hub.session.notices import misplaced, why_no_training
from stepdbg.hub.target import output as output_module
from stepdbg.hub.target.output import OutputTail
from stepdbg.protocol import moment_text
from stepdbg.protocol.breakpoint_text import describe, destination, parse
from stepdbg.protocol.messages import Boundary, Breakpoint, LossPoint, PhaseRecord, Stop, Tick

PLACES = {
    "backward": Breakpoint(0, "backward"),
    "before backward": Breakpoint(0, "backward"),
    "after step": Breakpoint(0, "step", "after"),
    "update 40": Breakpoint(0, None, update=40),
    "before backward at update 40": Breakpoint(0, "backward", "before", 40),
    "  after   my-phase  at  update  7 ": Breakpoint(0, "my-phase", "after", 7),
    "update": Breakpoint(0, "update"),
    "step of opt_g": Breakpoint(0, "step", of="opt_g"),
    "forward of model.layers.*.attn every 10 updates": Breakpoint(0, "forward", of="model.layers.*.attn", every=10),
    "update every 100": Breakpoint(0, every=100),
    "epoch 3": Breakpoint(0, epoch=3),
    "train.py:48": Breakpoint(0, file="train.py", line=48),
    "/home/a b/train.py:48 once if i == 3": Breakpoint(
        0, file="/home/a b/train.py", line=48, once=True, condition="i == 3"
    ),
    "backward log 'see v.a:3 {loss}'": Breakpoint(0, "backward", log="see v.a:3 {loss}"),
    "epoch 3 on rank 1": Breakpoint(0, epoch=3, rank=1),
    "backward if loss > 2": Breakpoint(0, "backward", condition="loss > 2"),
    "before step if update == 7": Breakpoint(0, "step", condition="update == 7"),
    "after step ignore 3 once in epoch 2": Breakpoint(0, "step", "after", ignore=3, once=True, epoch=2),
    "step log 'at {lr}' if loss < 1": Breakpoint(0, "step", log="at {lr}", condition="loss < 1"),
    'step log "he said \\"{lr}\\""': Breakpoint(0, "step", log='he said "{lr}"'),
}


@pytest.mark.parametrize("text", PLACES)
def test_a_place_is_read_as_people_write_it(text: str) -> None:
    assert parse(text) == PLACES[text]


WRONG = {
    "": "write",
    "  ": "write",
    "before": "write",
    "after": "write",
    "backward at": "write",
    "foo bar": "write",
    "update 0": "updates count from 1",
    "x at update 0": "updates count from 1",
    "step every 0": "updates count from 1",
    "epoch 0": "epochs count from 1",
    "before train.py:48": "training stops before a line runs; write train.py:48",
    "train.py:0": "lines count from 1",
    "update 3 of net": "write",
    "step of": "write",
    "step of if": "write",
    "step ignore": "write",
    "step log loss": "write",
    "step if": "nothing after `if`",
    "step if loss >": "no expression of Python",
    "step if loss = 2": "compare with ==",
    "step if loss > 2 once": "stands before `if`",
    'step log "{loss"': "cannot be filled in",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_breakpoint_is_refused_in_one_line_that_says_why(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(WRONG[text])) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


COUNT = st.one_of(st.none(), st.integers(1, 10**9))


@given(
    place=st.one_of(
        st.builds(
            lambda phase, when, of: {"phase": phase, "when": when, "of": of},
            st.sampled_from(["data", "zero_grad", "step", "update", "ema"]),
            st.sampled_from(["before", "after"]),
            st.sampled_from(["", "opt_g", "nets[0]", "model.layers.*.attn"]),
        ),
        st.builds(
            lambda file, line: {"file": file, "line": line},
            st.sampled_from(["train.py", "src/net.py", "/home/a b/train.py"]),
            st.integers(1, 10**6),
        ),
        st.just({}),
    ),
    update=COUNT,
    every=COUNT,
    epoch=COUNT,
    rank=st.one_of(st.none(), st.integers(0, 99)),
    ignore=st.integers(0, 99),
    once=st.booleans(),
    log=st.one_of(
        st.just(""),
        st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="{}\\\"'"), min_size=1),
    ),
    condition=st.sampled_from(["", "loss > 2", "a if b else c", "x['at update 3'] == 1", "finite(x) and update > 3"]),
)
def test_a_described_breakpoint_reads_back(place: dict[str, Any], **how: Any) -> None:
    if not place and how["update"] is how["every"] is how["epoch"] is None:
        return
    breakpoint = Breakpoint(0, **place, **how)
    assert parse(describe(breakpoint)) == breakpoint


DESTINATIONS = {
    "400": "update 400",
    "epoch 3": "epoch 3",
    "step of opt": "before step of opt",
    "loss < 0.1": "before backward if loss < 0.1",
    "if update > 7": "before backward if update > 7",
    "not finite(x)": "before backward if not finite(x)",
    "after backward every 5": "after backward every 5",
    "train.py:48 at update 30": "train.py:48 at update 30",
    "2199-11-30 14:30": "time 2199-11-30 14:30:00",
}


@pytest.mark.parametrize("text", DESTINATIONS)
def test_where_to_run_is_a_breakpoint_that_is_met_once(text: str) -> None:
    point = destination(text, 7)
    assert point.once
    assert describe(msgspec.structs.replace(point, once=False)) == DESTINATIONS[text]


@pytest.mark.parametrize(("text", "why"), [("7", "is behind"), ("", "cannot read"), ("nowhere near", "cannot read"),
                                           ("loss <", "no expression"), ("2001-02-03 4:05", "is behind"),
                                           ("25:00", "no such time"), ("time 14:61", "no such time")])  # fmt: skip
def test_where_nobody_can_run_to_is_said(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        destination(text, 7)


@pytest.mark.parametrize("text", ["epoch 2", "epoch 1", "step in epoch 1", "step at update 6"])
def test_nobody_can_run_to_what_is_behind(text: str) -> None:
    with pytest.raises(UsageError, match=r"(epoch|update) \d is behind: this is (epoch 2|update 7)"):
        destination(text, 7, 2)


@pytest.mark.parametrize("text", ["epoch 3", "step in epoch 2", "step at update 7", "update 8"])
def test_one_can_run_to_what_is_there_still(text: str) -> None:
    assert destination(text, 7, 2).goal


def test_a_time_is_the_next_one_of_that_name_and_a_span_begins_now() -> None:
    noon = datetime(2026, 11, 30, 12, 0, 0).timestamp()
    assert moment_text.moment("", "14:30", noon) == noon + 2.5 * 3600
    assert moment_text.moment("", "12:00", noon) == noon + 24 * 3600
    assert moment_text.moment("2026-12-01", "0:00:05", noon) == noon + 12 * 3600 + 5
    assert moment_text.after("10 min", noon) == moment_text.after("in 600 s", noon) == noon + 601
    assert moment_text.after("1.5 h", noon) == noon + 5401
    assert moment_text.after("10 updates", noon) is None
    ahead = destination("10 min", 7).time
    assert ahead is not None
    assert 599 < ahead - time.time() < 602


def test_breakpoints_are_numbered_once_and_never_again() -> None:
    table = BreakpointTable((Breakpoint(0, "step"),))
    table.add(Breakpoint(0, "backward"))
    table.remove(2)
    table.add(Breakpoint(0, "loss"))
    assert [(b.number, b.phase) for b in table.all] == [(1, "step"), (3, "loss")]
    table.switch(1, False)
    table.add(Breakpoint(7, "step", enabled=False, hits=9))
    assert table.all[0] == Breakpoint(1, "step")
    assert "needs a phase" in table.add(Breakpoint(0))
    table.note_remark(3, "waits for the device")
    assert [b.remark for b in table.all] == ["", "waits for the device"]
    table.begin_anew()
    assert [b.remark for b in table.all] == ["", ""]


def stop(index: int) -> Stop:
    return Stop(Boundary(index, 1), "step")


def test_the_timeline_forgets_the_oldest_stops_first() -> None:
    timeline = Timeline(most_stops=3)
    for index in range(1, 6):
        timeline.append(stop(index))
    assert [timeline[n].boundary.index for n in range(len(timeline))] == [3, 4, 5]


def test_the_timeline_finds_a_stop_by_its_boundary_and_by_the_phase_before_it() -> None:
    timeline = Timeline(most_stops=3)
    records = (PhaseRecord("forward"), PhaseRecord("backward"), PhaseRecord("forward"))
    for index, done in enumerate((None, "forward", "backward", "forward"), 1):
        timeline.append(Stop(Boundary(index, 7, done, "next"), "step", phases=records[: index - 1]))
    assert timeline.at(3) == timeline[1]
    assert timeline.at(1) is None
    assert [timeline.after_phase(7, "forward", n) for n in (1, 2, 3)] == [timeline[0], timeline[2], None]
    assert timeline.after_phase(6, "backward", 1) is None
    assert [tick.boundary for tick in timeline.ticks()] == [2, 3, 4]
    assert timeline.ticks(3) == (Tick(4, 7, "forward", "next"),)


def test_the_timeline_is_bounded_in_bytes_and_keeps_at_least_the_last_stop() -> None:
    timeline = Timeline(most_bytes=1)
    timeline.append(stop(1))
    timeline.append(stop(2))
    assert [timeline[n].boundary.index for n in range(len(timeline))] == [2]


def test_losses_are_thinned_evenly_when_they_grow_many() -> None:
    history = LossHistory(most=100)
    for update in range(1000):
        history.extend([LossPoint(update, 0, 0.0)])
    updates = [point.update for point in history.points]
    steps = {later - earlier for earlier, later in itertools.pairwise(updates)}
    assert len(updates) <= 100
    assert updates[0] == 0
    assert len(steps) == 1


def test_each_of_several_losses_is_thinned_by_itself() -> None:
    history = LossHistory(most=100)
    for update in range(1000):
        history.extend([LossPoint(update, loss, 0.0) for loss in (0, 1) if loss == 0 or update % 3 == 0])
    updates = {loss: [point.update for point in history.points if point.loss == loss] for loss in (0, 1)}
    assert len(history.points) <= 100
    for loss, every in ((0, 1), (1, 3)):
        steps = {later - earlier for earlier, later in itertools.pairwise(updates[loss])}
        assert updates[loss][0] == 0
        assert len(steps) == 1
        assert steps.pop() % every == 0


def test_the_tail_follows_the_log_through_a_rotation_and_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    tail = OutputTail(log)
    assert tail.read() == []
    log.write_bytes(b"one ")
    assert tail.read() == [(0, b"one ")]
    with log.open("ab") as file:
        file.write(b"two ")
    os.replace(log, tmp_path / "output.log.1")
    log.write_bytes(b"three")
    assert tail.read() == [(4, b"two "), (8, b"three")]
    assert tail.last_bytes == (0, b"one two three")
    tail.close()


def test_the_tail_keeps_the_last_megabyte_or_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_module, "TAIL_BYTES", 10)
    log = tmp_path / "output.log"
    log.write_bytes(b"x" * 95 + b"end")
    tail = OutputTail(log)
    tail.read()
    start, data = tail.last_bytes
    assert start + len(data) == tail.end == 98
    assert 10 <= len(data) <= 20
    assert data.endswith(b"end")
    tail.close()


@pytest.mark.parametrize(
    ("status", "born", "words"),
    [
        (0, True, "t.py ended and never trained: no forward, backward or step was seen"),
        (3, True, "t.py ended with status 3 before it trained; its output says why"),
        (-9, True, "t.py ended by SIGKILL before it trained; its output says why"),
    ],
)
def test_a_target_that_never_trained_is_remarked_on(status: int, born: bool, words: str) -> None:
    assert why_no_training("t.py", status, born=born) == words


def test_options_that_stand_after_the_script_are_remarked_on_where_it_has_no_use_for_them() -> None:
    argv = ("python", "t.py", "--stop-on=nan", "-b", "step", "-b", "loss", "--lr", "1")
    words = "if --stop-on and -b are meant for stepdbg: write them before the script"
    assert misplaced(2, argv) == words
    assert misplaced(2, argv[:3]) == "if --stop-on is meant for stepdbg: write it before the script"
    assert misplaced(1, argv) == misplaced(2, ("python", "t.py", "--lr", "1")) == ""


def test_every_option_that_cannot_be_a_script_s_own_is_known_to_be_misplaced() -> None:
    known = {*_VALUED["run"], *_FLAGS["run"]}
    assert known - {"--python"} == {one for one in known if misplaced(2, (one,))}


def test_a_target_in_which_stepdbg_was_not_loaded_is_told_how_to_mend_it() -> None:
    assert "-I, -E or -S" in why_no_training("t.py", 0, born=False)


def test_a_source_is_decoded_as_python_would(tmp_path: Path) -> None:
    file = tmp_path / "latin.py"
    file.write_bytes("# -*- coding: latin-1 -*-\n# é\n".encode("latin-1"))
    assert "é" in read_source(str(file)).text
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert read_source(str(tmp_path / "binary.py")).problem
    assert read_source(str(tmp_path)).problem
