"""`stepdbg trace`: one line for each boundary, all of them, and a script that notices nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import warm
from harness.deadline import deadline
from harness.place import STEPDBG as INSTALLED
from harness.place import Place
from hub.room import Screen
from tracer.bare_hub import debuggee

from commands.scripts import DEMOS, STEPDBG, TRAINING, bare, read, run, running, write
from stepdbg.hub.process.session_file import read_session_file
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, Leave, Steer

pytestmark = pytest.mark.usefixtures("runtime_folder")

TRACE = [*STEPDBG, "trace"]
ORDER = ["zero_grad", "forward", "loss", "backward", "step"]


def phases(lines: list[dict[str, Any]]) -> list[str | None]:
    return [line["done"] for line in lines]


def test_a_line_tells_where_a_boundary_lies_and_what_was_done(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, TRAINING + "train(2)\nprint('trained')\n")
    status, out, err = run(*TRACE, *warm.option(), "-o", file, script)
    assert (status, out, err) == (0, b"trained\n", b"")
    lines = read(file)
    assert phases(lines) == [None, *ORDER, *ORDER]
    assert [line["next"] for line in lines] == [*ORDER, *ORDER, None]
    assert [line["boundary"] for line in lines] == list(range(1, 12))
    assert [line["update"] for line in lines] == [1] * 6 + [2] * 5
    assert [line["line"] for line in lines] == [9, 10, 10, 12, 13, 9, 10, 10, 12, 13, None]
    assert {line["file"] for line in lines[:-1]} == {str(script)}
    assert lines[-1]["reason"] == "exit"
    assert [line.get("predicted") for line in lines[:4]] == [None, None, True, None]
    for line in lines:
        assert (line["rank"], line["epoch"], line["inside"]) == (0, None, [])
        assert (line["ms"] is None) == (line["done"] is None)
        assert "effects" not in line
    losses = [line["loss"] for line in lines]
    assert losses[:3] == [None] * 3
    assert losses[3] == losses[6] > 0
    assert losses[7] is None, "the loss of the last update is none while this one's is made"
    assert losses[8] == losses[10] != losses[3]


def test_without_a_file_whole_lines_go_to_stderr(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "train(40)\nprint('trained')\n")
    status, out, err = run(*TRACE, *warm.option(), script)
    assert (status, out) == (0, b"trained\n")
    (tmp_path / "caught").write_bytes(err)
    assert len(read(tmp_path / "caught")) == 40 * 5 + 1


@pytest.mark.parametrize("demo", ["mnist.py", "plain.py"])
def test_a_traced_demo_ends_in_the_bits_and_the_output_of_a_bare_one(demo: str, file: Path) -> None:
    arguments = (DEMOS / demo, "--updates", "3", "--epochs", "2", "--digest")
    traced = run(*TRACE, "-o", file, "--effects", "--fingerprints", *arguments)
    assert traced == bare(*arguments)
    assert b"digest" in traced[1]
    assert sum(line["done"] == "step" for line in read(file)) == (6 if demo == "plain.py" else 3)


@pytest.mark.parametrize("demo", ["mnist.py", "plain.py"])
def test_the_effects_are_those_of_a_stepped_run(demo: str, file: Path) -> None:
    arguments = (str(DEMOS / demo), "--updates", "3", "--epochs", "1")
    assert run(*TRACE, *warm.option(), "-o", file, "--effects", *arguments)[0] == 0
    lines = {line["boundary"]: line for line in read(file)}
    with debuggee(*arguments) as training:
        stops = {stop.boundary.index: stop for stop in training.stops()}
    assert set(stops) <= set(lines)
    compared = 0
    for index, stop in stops.items():
        line = lines[index]
        assert (line["done"], line["next"], line["update"]) == (
            stop.boundary.done,
            stop.boundary.next,
            stop.boundary.update,
        )
        assert (line["loss"], line["line"]) == (stop.boundary.loss, stop.boundary.line)
        before = max((number for number in lines if number < index), default=0)
        if before in stops:  # a stepped run passes over evaluation
            named = stop.effects.named if stop.effects else ()
            after = [{"after": True} if e.after else {} for e in named]
            told = [{"object": e.object, "kind": e.kind, "what": e.what} for e in named]
            assert line["effects"] == [one | late for one, late in zip(told, after, strict=True)]
            compared += 1
    assert compared >= 18


def test_all_effects_are_told_however_many_there_are(tmp_path: Path, file: Path) -> None:
    script = write(
        tmp_path,
        TRAINING.replace("nn.Linear(3, 1)", "nn.Sequential(*[nn.Linear(3, 3) for _ in range(1100)])") + "train(1)\n",
    )
    assert run(*TRACE, *warm.option(), "-o", file, "--effects", script)[0] == 0
    backward = next(line for line in read(file) if line["done"] == "backward")
    assert sum(effect["kind"] == "grad" for effect in backward["effects"]) == 2200


def test_fingerprints_are_the_same_in_another_process_and_differ_where_the_bytes_do(tmp_path: Path) -> None:
    script = write(tmp_path, "import random, numpy\n" + TRAINING + "train(int(sys.argv[1]))\n")
    traces = [tmp_path / "a", tmp_path / "b"]
    for trace in traces:
        assert run(*TRACE, *warm.option(), "-o", trace, "--fingerprints", script, "2")[0] == 0
    first, second = (read(trace) for trace in traces)
    seeded = ("random", "numpy.random")  # these two the script does not seed
    for one, other in zip(first, second, strict=True):
        prints, others = ({k: v for k, v in line["fingerprints"].items() if k not in seeded} for line in (one, other))
        assert prints == others
    assert first[0]["fingerprint_algorithms"]["cpu"] == "xxh3_64"
    assert not any("fingerprint_algorithms" in line for line in first[1:])
    before, after, *_ = (line["fingerprints"] for line in first if "step" in (line["next"], line["done"]))
    assert before["model.weight"] != after["model.weight"]
    assert before["model.weight.grad"] == after["model.weight.grad"]
    assert after["optimizer.param_groups[0]['lr']"] == "=0.1"


def test_a_loss_that_is_no_number_is_valid_json(tmp_path: Path, file: Path) -> None:
    loss = TRAINING.replace(".mean()", ".mean() * factor")
    ones = "    for p in model.parameters():\n        nn.init.ones_(p)\n"
    each = f"for factor in map(float, sys.argv[1:]):\n{ones}    train(1)\n"
    assert run(*TRACE, *warm.option(), "-o", file, write(tmp_path, loss + each), "inf", "-inf", "nan")[0] == 0
    found = [(line["loss"], line["loss_is"]) for line in read(file) if line["done"] == "step"]
    assert found == [(None, "inf"), (None, "-inf"), (None, "nan")]


def test_phases_of_a_closure_lie_inside_step(tmp_path: Path, file: Path) -> None:
    script = write(
        tmp_path,
        TRAINING + "def closure():\n    optimizer.zero_grad()\n    loss = model(torch.ones(2, 3)).sum()\n"
        "    loss.backward()\n    return loss\noptimizer.step(closure)\n",
    )
    assert run(*TRACE, *warm.option(), "-o", file, script)[0] == 0
    assert [(line["inside"], line["done"], line["next"]) for line in read(file)] == [
        ([], None, "step"),
        (["step"], None, "zero_grad"),
        (["step"], "zero_grad", "forward"),
        (["step"], "forward", "loss"),
        (["step"], "loss", "backward"),
        (["step"], "backward", "step"),  # the closure has returned: the update proper begins
        ([], "step", None),
    ]


def test_evaluation_is_traced(file: Path) -> None:
    assert run(*TRACE, *warm.option(), "-o", file, DEMOS / "plain.py", "--updates", "1", "--epochs", "1")[0] == 0
    assert phases(read(file))[-3:] == ["scheduler", "eval", "eval"]


def test_an_exception_is_the_last_line_and_the_status_is_the_scripts(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, TRAINING + "train(1)\nmodel(torch.ones(2, 2))\n")
    assert run(*TRACE, *warm.option(), "-o", file, "--effects", script) == bare(script)
    last = read(file)[-1]
    assert (last["reason"], last["next"], last["done"], last["inside"]) == ("exception", None, None, ["forward"])
    assert last["failure"]["type"] == "RuntimeError"
    assert last["line"] == 15


ENDS = {
    "sys.exit(3)": 3,
    "import os; os._exit(4)": 4,
    "import os; os.kill(os.getpid(), 9)": -9,
    "import os; os.kill(os.getpid(), 15)": -15,
    "raise KeyboardInterrupt": None,  # torch's own atexit functions decide
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost_however_the_script_ends(tmp_path: Path, file: Path, end: str) -> None:
    script = write(tmp_path, TRAINING + f"train(60)\n{end}\n")
    python = () if "KeyboardInterrupt" in end else warm.option()
    traced = run(*TRACE, *python, "-o", file, "--fingerprints", script)
    by_itself = run(sys.executable, script) if "KeyboardInterrupt" in end else bare(script)
    assert traced == by_itself
    assert ENDS[end] in (traced[0], None)
    lines = [line for line in read(file) if line["next"] is not None]
    assert [line["boundary"] for line in lines] == list(range(1, 301))


def test_a_reader_that_is_slow_loses_nothing(tmp_path: Path) -> None:
    layers = TRAINING.replace("nn.Linear(3, 1)", "nn.Sequential(*[nn.Linear(3, 3) for _ in range(300)])")
    script = write(tmp_path, layers + "train(10)\nprint('trained', flush=True)\n")
    with running(*TRACE, "--fingerprints", script) as tracing:
        assert tracing.stdout is not None
        assert tracing.stderr is not None
        first = tracing.stderr.readline()
        rest = tracing.stderr.read()  # some 8 MB, much more than all the pipes and sockets hold
        assert tracing.stdout.read() == b"trained\n"
        assert tracing.wait() == 0
    (tmp_path / "caught").write_bytes(first + rest)
    assert [line["boundary"] for line in read(tmp_path / "caught")] == list(range(1, 52))


FINALLY = """
import atexit
atexit.register(print, "atexit")
print("begun")
try:
    train(10**9)
finally:
    print("finally")
"""


def test_updates_ends_the_script_as_sys_exit_would(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, TRAINING + FINALLY)
    traced = run(*TRACE, *warm.option(), "-o", file, "--updates", "3", script)
    assert traced == (0, b"begun\nfinally\natexit\n", b"")
    lines = read(file)
    assert phases(lines) == [None, *ORDER * 3]
    assert (lines[-1]["reason"], lines[-1]["next"], lines[-1]["update"]) == ("updates", "zero_grad", 3)


def test_updates_ends_a_generator_loop_where_it_stands(tmp_path: Path, file: Path) -> None:
    loop = "def loop():\n    try:\n        while True:\n"
    for phase, deed in zip(
        ORDER,
        [
            "optimizer.zero_grad()",
            "y = model(torch.ones(2, 3))",
            "loss = y.sum()",
            "loss.backward()",
            "optimizer.step()",
        ],
        strict=True,
    ):
        loop += f"            yield {phase!r}\n            {deed}\n"
    loop += "    finally:\n        print('finally')\n"
    script = write(tmp_path, TRAINING + loop)
    assert run(*TRACE, "-o", file, "--updates", "2", f"{script}:loop") == (0, b"finally\n", b"")
    lines = read(file)
    assert phases(lines) == [None, *ORDER * 2]
    assert [line["loss"] is None for line in lines] == [*[True] * 3, *[False] * 4, True, *[False] * 3]
    assert lines[3]["loss"] != lines[8]["loss"], "a loss is told once the loop has it, before backward"


def test_a_script_that_has_fewer_updates_ends_by_itself(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, TRAINING + "train(2)\nsys.exit(6)\n")
    assert run(*TRACE, *warm.option(), "-o", file, "--updates", "3", script)[0] == 6
    assert read(file)[-1]["reason"] == "exit"


def test_a_script_that_will_not_end_is_terminated_and_said_so(tmp_path: Path, file: Path) -> None:
    stubborn = "import signal\nsignal.signal(15, signal.SIG_IGN)\ntry:\n    train(9)\nexcept SystemExit:\n"
    script = write(tmp_path, TRAINING + stubborn + "    while True:\n        signal.pause()\n")
    status, _, err = run(*TRACE, *warm.option(), "-o", file, "--updates", "1", script)
    assert status == 0
    assert err.startswith(b"stepdbg: process ")
    assert err.endswith(b"has not ended 10 s after update 1: terminated\n")
    assert err.count(b"\n") == 1


def test_two_ranks_are_traced_apart_and_both_are_ended(tmp_path: Path, file: Path) -> None:
    write(tmp_path, TRAINING + "train(5)\nprint('never')\n")
    launcher = write(
        tmp_path,
        "import os, subprocess, sys\n"
        "def start(rank):\n"
        "    environment = {**os.environ, 'RANK': rank, 'WORLD_SIZE': '2'}\n"
        "    return subprocess.Popen([sys.executable, 'train.py'], env=environment)\n"
        "both = [start('0'), start('1')]\n"
        "sys.exit(sum(rank.wait() for rank in both))\n",
        "launch.py",
    )
    status, out, err = run(*TRACE, *warm.option(), "-o", file, "--effects", "--updates", "2", launcher, cwd=tmp_path)
    assert (status, out, err) == (0, b"", b"")
    lines = read(file)
    for rank in (0, 1):
        mine = [line for line in lines if line["rank"] == rank]
        assert phases(mine) == [None, *ORDER * 2]
        assert mine[-1]["reason"] == "updates"


def test_a_breakpoint_of_the_scripts_own_is_a_line_and_no_stop(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, "import stepdbg\n" + TRAINING + "train(1)\nstepdbg.breakpoint()\n")
    assert run(*TRACE, *warm.option(), "-o", file, script)[0] == 0
    assert read(file)[-2]["reason"] == "breakpoint"


def test_a_screen_that_attaches_takes_nothing_from_the_trace(tmp_path: Path, file: Path, runtime_folder: Path) -> None:
    script = write(tmp_path, TRAINING + "train(1)\nprint('half', flush=True)\ninput()\ntrain(1)\n")

    async def watch() -> None:
        (folder,) = runtime_folder.iterdir()
        screen = await Screen.open(folder)
        screen.connection.send(AddBreakpoint(Breakpoint(0, phase="backward")))
        await screen.until(lambda s: s.session.breakpoints)
        assert tracing.stdin is not None
        tracing.stdin.write(b"\n")
        tracing.stdin.flush()
        await screen.until_next("backward")
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exit")
        screen.connection.send(Leave("go on"))
        await screen.connection.close()

    with running(*TRACE, "-o", file, script) as tracing:
        assert tracing.stdout is not None
        assert tracing.stdout.readline() == b"half\n"
        asyncio.run(watch())
        assert tracing.wait(deadline(60)) == 0
    assert phases(read(file)) == [None, *ORDER, *ORDER]


HANGING = (
    TRAINING.replace("loss.backward()", "loss.register_hook(hang); loss.backward()")
    + "import signal\ndef hang(_):\n    print('ready', flush=True)\n    while True:\n        signal.pause()\ntrain(1)\n"
)


def test_sigquit_shows_what_hangs_and_ends_nothing(tmp_path: Path) -> None:
    script = write(tmp_path, HANGING)
    with running(*TRACE, script) as tracing:
        assert tracing.stdout is not None
        assert tracing.stderr is not None
        while b'"next":"backward"' not in tracing.stderr.readline():
            pass
        assert tracing.stdout.readline() == b"ready\n"
        for _ in range(2):
            tracing.send_signal(signal.SIGQUIT)
            said = tracing.stderr.readline().decode()
            assert said.startswith("stepdbg: in backward for ")
            assert said.endswith(" s (update 1, rank 0)\n")
            assert "most recent call first" in tracing.stderr.readline().decode()
            assert re.search(rf'File "{script}", line 1[678] in hang', tracing.stderr.readline().decode())
            while "in <module>" not in tracing.stderr.readline().decode():
                pass
        tracing.terminate()
        assert tracing.wait(deadline(60)) == -signal.SIGTERM


def test_ctrl_backslash_does_so_too(tmp_path: Path, place: Place) -> None:
    terminal = place.terminal([INSTALLED, "trace", write(tmp_path, HANGING)], size=(400, 30))
    terminal.wait_for("ready", '"next":"backward"', seconds=60)
    terminal.press("\x1c")
    terminal.wait_for("stepdbg: in backward for", "line 18 in hang")
    terminal.press("\x03")
    assert terminal.wait_exit() != 0
    assert b"KeyboardInterrupt" in terminal.transcript
    place.wait_empty()


def test_a_file_that_cannot_be_written_is_said_before_training_starts(tmp_path: Path) -> None:
    script = write(tmp_path, "open('begun', 'w')\n")
    for file, why in (
        (tmp_path / "no" / "file", b"No such file"),
        (tmp_path, b"Is a directory"),
        (script, b"overwrite"),
    ):
        status, out, err = run(*TRACE, *warm.option(), "-o", file, script, cwd=tmp_path)
        assert (status, out) == (2, b"")
        assert err.startswith(b"stepdbg: ")
        assert why in err
        assert err.count(b"\n") == 1
    assert not (tmp_path / "begun").exists()
    assert script.read_text() == "open('begun', 'w')\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_disk_that_is_full_is_said_once_and_training_goes_on(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "train(5)\nprint('trained')\nsys.exit(3)\n")
    status, out, err = run(*TRACE, *warm.option(), "-o", "/dev/full", script)
    assert (status, out) == (3, b"trained\n")
    assert err == (
        b"stepdbg: cannot write more of the trace to /dev/full (No space left on device); training goes on untraced\n"
    )


def test_a_file_that_may_not_grow_further_ends_with_a_whole_line(tmp_path: Path, file: Path) -> None:
    script = write(tmp_path, TRAINING + "train(400)\nprint('trained')\n")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [*TRACE, "-o", str(file), str(script)]
    done = subprocess.run(command, capture_output=True, preexec_fn=limit, check=False)
    assert (done.returncode, done.stdout) == (0, b"trained\n")
    assert b"training goes on untraced" in done.stderr
    lines = read(file)
    assert [line["boundary"] for line in lines] == list(range(1, len(lines) + 1))
    assert 400 < len(lines) < 1500


def test_a_killed_hub_leaves_the_script_to_run_on(tmp_path: Path, runtime_folder: Path) -> None:
    script = write(tmp_path, TRAINING + "train(1)\nprint('half', flush=True)\ninput()\ntrain(1)\nprint('trained')\n")
    with running(*TRACE, script) as tracing:
        assert tracing.stdout is not None
        assert tracing.stderr is not None
        assert tracing.stdout.readline() == b"half\n"
        told = [json.loads(tracing.stderr.readline()) for _ in range(5)]
        assert [line["boundary"] for line in told] == [1, 2, 3, 4, 5]
        (folder,) = runtime_folder.iterdir()
        session_file = read_session_file(folder)
        assert session_file is not None
        os.kill(session_file.hub, signal.SIGKILL)
        out, _ = tracing.communicate(b"\n", timeout=deadline(60))
        assert out == b"trained\n"
        assert tracing.returncode == 0
    shutil.rmtree(folder)
