"""`stepdbg run --headless`: the target is as it would be without us; and `ls` and `stop` from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import warm
from harness.deadline import deadline
from hub.room import Screen, runtime

from commands.scripts import BACKWARD, HEADLESS, STEPDBG, bare, run, running, write
from stepdbg.commands.attach import named_session
from stepdbg.errors import SessionError
from stepdbg.hub.process.session_file import living_sessions
from stepdbg.protocol.messages import Steer


@pytest.fixture
def runtime_folder() -> Iterator[Path]:
    with runtime() as folder:
        yield folder


TARGETS = {
    "both streams and a status": "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)",
    "binary": "import sys; sys.stdout.buffer.write(bytes(range(256)) * 50)",
    "stdin": "import sys; print(sys.stdin.read().upper())",
    "an exception": "def f(): raise ValueError('no')\nf()",
    "its arguments": "import sys; print(sys.argv, sys.path[0], __name__)",
    "its signals": "import signal; print(signal.getsignal(2), signal.getsignal(15), signal.getsignal(13))",
    "death by a signal": "import os; os.kill(os.getpid(), 15)",
    "death by kill": "import os; os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize("what", TARGETS)
def test_streams_and_status_are_those_of_a_bare_run(runtime_folder: Path, tmp_path: Path, what: str) -> None:
    script = tmp_path / "target.py"
    script.write_text(TARGETS[what])
    command = [str(script), "a", "b c"]
    alone, ours = (
        subprocess.run([*start, *command], input=b"typed\n", capture_output=True, timeout=deadline(60))
        for start in ([sys.executable], HEADLESS)
    )
    never = b"stepdbg: target.py ended and never trained: no forward, backward or step was seen\n"
    said = alone.stderr + (never if alone.returncode == 0 else b"")
    assert (ours.returncode, ours.stdout, ours.stderr) == (alone.returncode, alone.stdout, said)
    assert list(runtime_folder.iterdir()) == []


def test_what_it_inherits_and_the_numbers_of_what_it_opens_are_those_of_a_bare_run(
    runtime_folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "target.py"
    script.write_text(
        "import os, socket, sys; given = int(sys.argv[1]); print(os.read(given, 9), os.get_inheritable(given)); "
        "pair = socket.socketpair(); print([os.dup(0), *(one.fileno() for one in pair), open('/dev/null').fileno()])"
    )
    said = []
    for start in ([sys.executable], HEADLESS):
        given, write = os.pipe()
        os.write(write, b"inherited")
        os.close(write)
        command = [*start, str(script), str(given)]
        said.append(subprocess.run(command, pass_fds=[given], stdout=subprocess.PIPE, timeout=deadline(60)))
        os.close(given)
    assert said[0].returncode == said[1].returncode == 0
    assert said[0].stdout == said[1].stdout != b""


def test_a_breakpoint_stops_it_for_a_screen_and_says_so_on_one_line(runtime_folder: Path) -> None:
    command = [*HEADLESS, "--break", "before backward at update 4", "-m", "stepdbg.testing", "6"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stderr is not None
    line = running.stderr.readline().decode()
    (session_file,) = living_sessions()
    assert (
        line == f"stepdbg: stopped before backward (update 4); look at it with `stepdbg attach {session_file.name}`\n"
    )
    assert session_file.state == "paused"
    listed = subprocess.run([*STEPDBG, "ls"], capture_output=True, text=True, check=True)
    assert session_file.name in listed.stdout
    assert "paused" in listed.stdout

    import asyncio

    async def go_on() -> None:
        screen = await Screen.open(runtime_folder / session_file.name)
        screen.connection.send(Steer("continue"))
        await screen.until(lambda s: s.session.state == "paused" and s.stop.reason == "exit")
        screen.connection.send(Steer("continue"))
        await screen.until_state("exited")
        await screen.connection.close()

    asyncio.run(go_on())
    out, err = running.communicate(timeout=deadline(30))
    assert running.returncode == 0
    assert out.count(b"update") == 6
    assert err == b""


def test_the_first_bad_value_stops_it_and_is_told_with_what_has_made_it(runtime_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom torch import nn\n"
        "net = nn.Linear(2, 1)\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "for i in range(4):\n    opt.zero_grad()\n    loss = (net(torch.ones(3, 2)) / (i != 2)).sum() * (i != 2)\n"
        "    loss.backward()\n    opt.step()\n"
    )
    command = [*HEADLESS, *warm.option(), "--stop-on", "nan", str(script)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    line = running.stderr.readline()
    (session_file,) = living_sessions()
    assert line == (
        "stepdbg: stopped before backward (update 3): loss is NaN. Most likely made by div; "
        f"look at it with `stepdbg attach {session_file.name}`\n"
    )
    subprocess.run([*STEPDBG, "stop", session_file.name], check=True, capture_output=True)
    running.communicate(timeout=deadline(30))


def test_what_a_rule_finds_stops_it_where_that_is_asked_for_and_is_told(runtime_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom torch import nn\n"
        "net = nn.Linear(2, 1)\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "for i in range(4):\n    loss = net(torch.ones(3, 2)).sum()\n    loss.backward()\n    opt.step()\n"
    )
    command = [*HEADLESS, *warm.option(), "--stop-on", "finding", str(script)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    slower, line = running.stderr.readline(), running.stderr.readline()
    (session_file,) = living_sessions()
    assert slower == "stepdbg: breakpoint 1 (new finding): every phase is looked at, which is slower\n"
    told = (
        "stepdbg: stopped before forward (update 3): stale-gradients (train.py:7): this step uses gradients of update 1"
    )
    assert line.startswith(told)
    subprocess.run([*STEPDBG, "stop", session_file.name], check=True, capture_output=True)
    running.communicate(timeout=deadline(30))


def test_an_exception_is_no_stop_where_that_is_switched_off(runtime_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom torch import nn\nnet = nn.Linear(2, 1)\n"
        "torch.optim.SGD(net.parameters(), lr=0.1).zero_grad()\nnet(torch.ones(1, 2)).sum().backward()\n"
        "net(torch.ones(1, 3))\n"
    )
    assert run(*HEADLESS, *warm.option(), "--stop-on", "never", script) == bare(script)


def test_stop_ends_the_target_and_the_session(runtime_folder: Path) -> None:
    command = [*HEADLESS, "--break", "step", "-m", "stepdbg.testing"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert running.stderr is not None
    running.stderr.readline()
    (session_file,) = living_sessions()
    stopped = subprocess.run(
        [*STEPDBG, "stop", session_file.name], capture_output=True, text=True, timeout=deadline(30)
    )
    assert (stopped.returncode, stopped.stderr) == (0, f"stepdbg: {session_file.name} has ended\n")
    assert running.wait(deadline(30)) == -signal.SIGTERM
    running.stderr.close()
    assert list(runtime_folder.iterdir()) == []


def test_sigterm_to_us_is_the_targets(runtime_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "target.py"
    script.write_text(
        "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(5))\nprint('ready', flush=True)\nsignal.pause()"
    )
    running = subprocess.Popen([*HEADLESS, str(script)], stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.terminate()
    assert running.wait(deadline(30)) == 5
    running.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.py"], "no script nowhere.py"),
        (["--break", "foo bar", __file__], "cannot read the breakpoint"),
        (["-m", "stepdbg.testing"], "run --headless"),
        (["stop", "nobody"], "no session 'nobody'"),
        (["stop", "../.."], "session"),
        (["attach"], "no session"),
    ],
)
def test_a_refusal_leaves_nothing_behind(runtime_folder: Path, arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [*STEPDBG, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=deadline(30)
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("stepdbg: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(runtime_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["-b", "backward if loss > 2", "--fresh"],
            "if -b and --fresh are meant for stepdbg: write them before the script",
        ),
        (["-b", "32", "-w", "4", "--lr", "1"], ""),
        (["--stop-on", "nan"], ""),
    ],
)
def test_options_that_stand_after_a_script_which_does_not_know_them_are_remarked_on(
    words: list[str], says: str, runtime_folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "target.py"
    script.write_text("KNOWN = '--stop-on'\n")
    done = subprocess.run([*HEADLESS, str(script), *words], capture_output=True, text=True, timeout=deadline(30))
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if "meant for stepdbg" in line]
    assert told == ([f"stepdbg: {says}"] if says else [])


def test_a_breakpoint_of_a_rank_that_there_is_not_is_told_once(runtime_folder: Path, tmp_path: Path) -> None:
    status, _, err = run(*HEADLESS, "-b", "backward on rank 7", write(tmp_path, BACKWARD))
    assert status == 0, err
    told = [line for line in err.decode().splitlines() if "rank 7" in line]
    assert told == ["stepdbg: breakpoint 1 (before backward on rank 7): there is no rank 7: this run has rank 0 alone"]


def test_the_beginning_of_a_name_is_enough_where_only_one_session_has_it(runtime_folder: Path) -> None:
    for name in ("train-12ab", "train_gan-34cd", "eval-56ef"):
        (runtime_folder / name).mkdir(mode=0o700)
    assert named_session("eval").name == "eval-56ef"
    assert named_session("train_").name == "train_gan-34cd"
    for word, says in (("train", "'train' may be train-12ab or train_gan-34cd"), ("evil-56ef", "mean eval-56ef;")):
        with pytest.raises(SessionError, match=says):
            named_session(word)


def test_a_runtime_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "STEPDBG_RUNTIME_DIR": str(tmp_path / "file" / "x")}
    command = [*HEADLESS, "-m", "stepdbg.testing"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=deadline(30))
    assert done.returncode == 2
    assert "STEPDBG_RUNTIME_DIR" in done.stderr


SIGNALLED = """
import os, signal, socket, subprocess, threading
from stepdbg.commands.headless import until_ended
for number, letter in ((signal.SIGINT, b"i"), (signal.SIGUSR1, b"u")):
    signal.signal(number, lambda *_, letter=letter: os.write(1, letter))
child = subprocess.Popen(["sleep", "1000"])
ours, theirs = socket.socketpair()
threading.Thread(target=ours.recv, args=(1,), daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: child.kill())
os.write(1, b"r")
os._exit(-until_ended(child))
"""
PAIRS = 6_000
"""So many times two signals come within a third of a millisecond; 56 of 20,000 were held back where only the process
was waited for."""


def test_of_two_signals_that_come_at_once_both_are_passed_on(tmp_path: Path) -> None:
    with running(sys.executable, write(tmp_path, SIGNALLED)) as process:
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"r"
        for number in range(PAIRS):
            process.send_signal(signal.SIGINT)
            ends = time.perf_counter() + number % 30 * 1e-5
            while time.perf_counter() < ends:
                pass
            process.send_signal(signal.SIGUSR1)
            came = b""
            while len(came) < 2:
                came += os.read(process.stdout.fileno(), 2)
            assert sorted(came) == sorted(b"iu")
        process.send_signal(signal.SIGTERM)
        assert process.wait(deadline(60)) == signal.SIGKILL
