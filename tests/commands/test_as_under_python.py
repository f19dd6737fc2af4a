"""A script is run as `python` would run it: what it sees of itself, what it prints, and how it ends are the same.

Each script trains, so that everything of ours is in the process, and is run bare, free and traced.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import zipfile
from pathlib import Path

import pytest
from harness.deadline import deadline

from commands.scripts import BACKWARD, HEADLESS, STEPDBG, TRAINING, bare, run, running, write

pytestmark = pytest.mark.usefixtures("runtime_folder")


@pytest.fixture
def ways(tmp_path: Path) -> list[list[str]]:
    """The commands that stand in for `python`."""
    return [HEADLESS, [*STEPDBG, "trace", "--effects", "--fingerprints", "-o", str(tmp_path / "trace.jsonl")]]


@pytest.fixture(params=["headless", "trace"])
def stepdbg(request: pytest.FixtureRequest, ways: list[list[str]]) -> list[str]:
    """One of them."""
    return ways[request.param == "trace"]


TRAIN = TRAINING + "train(2)\n"
CAUGHT = """
import traceback
def closure():
    raise KeyError("k")
def twice():
    loss = model(torch.ones(2, 3)).sum()
    loss.backward()
    loss.backward()
def hooked():
    handle = model.register_forward_hook(lambda *_: 1 / 0)
    try:
        model(torch.ones(2, 3))
    finally:
        handle.remove()
for deed in (lambda: model(torch.ones(2, 2)), lambda: optimizer.step(closure), twice, hooked):
    optimizer.zero_grad()
    try:
        deed()
    except Exception:
        traceback.print_exc()
train(1)
"""
SCRIPTS = {
    "what it sees of itself, and a message as status": TRAIN
    + "import os, random, signal, threading\n"
    + "print(__name__, __file__, __spec__, __package__, sys.argv, sys.path, os.getcwd())\n"
    + "print(sys.modules['__main__'].__dict__ is globals(), sys.flags, sys.orig_argv[1:])\n"
    + "print('err', file=sys.stderr)\nprint(sys.stdin.read())\n"
    + "print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stdout.line_buffering, sys.stderr.line_buffering)\n"
    + "print([signal.getsignal(n) for n in (1, 2, 10, 12, 13, 15)], threading.enumerate())\n"
    + "print(torch.rand(3), torch.initial_seed(), 'textual' in sys.modules)\n"
    + "sys.exit('that was all')\n",
    "bytes, atexit and a status": TRAIN
    + "import atexit\nfor n in range(3):\n    atexit.register(print, n, len(model.state_dict()))\nprint('end')\n"
    + "sys.stdout.buffer.write(bytes(range(256)) * 5000)\nsys.stderr.buffer.write(bytes(range(256)))\nsys.exit(7)\n",
    "exceptions that it catches, and one caused by another": TRAIN
    + CAUGHT
    + "try:\n    model(torch.ones(2, 2))\nexcept RuntimeError as error:\n    raise ValueError('shape') from error\n",
    "pickles of its own classes, and an excepthook of its own": TRAIN
    + "import copy, io, pickle\nclass Net(nn.Linear):\n    pass\nnet = Net(3, 1)\n"
    + "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    + "net(torch.ones(2, 3)).sum().backward()\noptimizer.step()\n"
    + "print(pickle.dumps(Net), pickle.dumps(net), pickle.loads(pickle.dumps(net)), copy.deepcopy(optimizer))\n"
    + "file = io.BytesIO()\ntorch.save((net, optimizer), file)\nprint(file.getvalue())\n"
    + "sys.excepthook = lambda kind, error, traceback: print('mine', kind, error)\nraise ValueError('no')\n",
    "warnings and the line they name, and os._exit": TRAIN
    + "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)\n"
    + "fresh = torch.optim.SGD(model.parameters(), lr=0.1)\n"
    + "late = torch.optim.lr_scheduler.StepLR(fresh, 1)\nlate.step()\nscheduler.step(5)\n"
    + "import os\nprint('unflushed')\nos._exit(9)\n",
    "a spawned process that fails": "import torch.multiprocessing as mp\n"
    + TRAINING
    + "class Result:\n    pass\ndef work(n, queue):\n    train(1)\n    queue.put((n, Result, __name__, loss_of(n)))\n"
    + "    sys.exit(5)\n"
    + "def loss_of(n):\n    return float(model(torch.full((1, 3), float(n))).detach())\n"
    + "if __name__ == '__main__':\n    train(1)\n    queue = mp.get_context('spawn').SimpleQueue()\n"
    + "    try:\n        mp.spawn(work, (queue,), nprocs=1)\n    finally:\n        print(queue.get())\n",
    "forked processes, and death by a signal": TRAIN
    + "import os\npid = os.fork()\nif not pid:\n    train(1)\n    print('child', flush=True)\n    os._exit(3)\n"
    + "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\ntrain(1)\n"
    + "os.kill(os.getpid(), 15)\n",
}

WARM = ("pickles of its own classes, and an excepthook of its own", "forked processes, and death by a signal")
"""Those whose bare run may be forked from a Python that has imported torch: what frames lie below the script's, and how
its output is flushed, makes no difference to them.
"""


def address_free(printed: bytes) -> bytes:
    """Without what differs between any two runs: addresses, which are the keys of pickled storages too."""
    return re.sub(rb"0x[0-9a-f]{6,}|\d{12,}", b"", printed)


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_script_is_what_it_is_under_python(stepdbg: list[str], tmp_path: Path, what: str) -> None:
    script = write(tmp_path, SCRIPTS[what])
    write(tmp_path, "x = (\n", "broken.py")
    (tmp_path / "elsewhere").mkdir()
    command = [os.path.relpath(script, tmp_path / "elsewhere"), "--flag", "b c", ""]
    place, typed = tmp_path / "elsewhere", b"typed\n"
    wanted = bare(*command, cwd=place) if what in WARM else run(sys.executable, *command, cwd=place, typed=typed)
    status, out, err = run(*stepdbg, *command, cwd=place, typed=typed)
    assert status == wanted[0]
    assert address_free(out) == address_free(wanted[1])
    assert address_free(err) == address_free(wanted[2])


def test_a_module_is_run_as_python_m_does(stepdbg: list[str], tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    write(tmp_path / "package", "print('package')\n", "__init__.py")
    write(tmp_path / "package", "names = ['w']\n", "names.py")
    text = "from .names import names\nprint(__name__, __package__, __spec__.name, sys.argv, sys.path, names)\n1 / 0\n"
    write(tmp_path / "package", BACKWARD + text)
    command = ["-m", "package.train", "a"]
    assert run(*stepdbg, *command, cwd=tmp_path) == run(sys.executable, *command, cwd=tmp_path)


def test_a_folder_and_a_zip_file_are_run_as_python_does(ways: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    write(tmp_path / "app", BACKWARD + "print(__name__, __file__, sys.argv, sys.path)\n", "__main__.py")
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.write(tmp_path / "app" / "__main__.py", "__main__.py")
    for name, way in zip(("app", "app.pyz"), ways, strict=True):
        assert run(*way, name, "x", cwd=tmp_path) == run(sys.executable, name, "x", cwd=tmp_path)


def test_a_sitecustomize_that_is_there_runs_as_ever(stepdbg: list[str], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    script = write(tmp_path, BACKWARD + "import sitecustomize\nprint(sitecustomize.__file__, sys.path)\n")
    # stepdbg and its hub are Python too, and have it run for themselves
    text = f"import sys\nif sys.orig_argv[1] == {str(script)!r}:\n    print('mine', __file__, __name__, sys.path)\n"
    write(tmp_path / "site", text, "sitecustomize.py")
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    wanted = run(sys.executable, script, PYTHONPATH=path)
    assert run(*stepdbg, script, PYTHONPATH=path) == wanted
    assert wanted[1].startswith(b"mine ")


def test_signals_to_us_are_the_scripts_and_ctrl_c_reaches_it_once(stepdbg: list[str], tmp_path: Path) -> None:
    text = BACKWARD + (
        "import signal, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('noted', flush=True))\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "try:\n    print('ready', flush=True)\n    while True:\n        time.sleep(0.05)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
        "while True:\n    time.sleep(0.05)\n"  # a signal just before `pause` would not end it
    )
    with running(*stepdbg, write(tmp_path, text)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)  # as the terminal sends it, to all in the foreground
        assert process.stdout.readline() == b"interrupted\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == b"noted\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b""
        assert process.wait(deadline(60)) == 5


def test_a_signal_that_the_script_does_not_handle_ends_it_and_us(stepdbg: list[str], tmp_path: Path) -> None:
    text = BACKWARD + "import signal\nprint('ready', flush=True)\nsignal.pause()\n"
    with running(*stepdbg, write(tmp_path, text)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(deadline(60)) == -signal.SIGHUP


def test_a_reader_that_goes_away_is_the_scripts_own_trouble(stepdbg: list[str], tmp_path: Path) -> None:
    script = write(tmp_path, BACKWARD + "while True:\n    print('x' * 1000)\n")
    results = []
    for start in ([sys.executable], stepdbg):
        with running(*start, script) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            results.append((process.stderr.read(), process.wait(deadline(60))))
            process.stdout = None
    assert results[0] == results[1]
    assert b"BrokenPipeError" in results[0][0]


def test_a_script_that_never_trains_is_said_to_in_one_line(stepdbg: list[str], tmp_path: Path) -> None:
    status, out, err = run(*stepdbg, write(tmp_path, "import torch\nprint('only this')\n"))
    assert (status, out) == (0, b"only this\n")
    assert err == b"stepdbg: train.py ended and never trained: no forward, backward or step was seen\n"


def test_a_target_whose_python_shuts_us_out_is_told_how_to_mend_it(stepdbg: list[str], tmp_path: Path) -> None:
    script = write(tmp_path, BACKWARD + "print('trained')\n")
    status, out, err = run(*stepdbg, sys.executable, "-I", script)
    assert (status, out) == (0, b"trained\n")
    assert b"-I, -E or -S" in err
    assert err.count(b"\n") == 1


def test_a_home_that_cannot_be_written_is_no_hindrance(stepdbg: list[str], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder: nothing can be made below it")
    script = write(tmp_path, BACKWARD + "print('trained')\n")
    home = str(tmp_path / "home")
    places = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "XDG_STATE_HOME": home}
    assert run(*stepdbg, script, **places) == (0, b"trained\n", b"")


@pytest.mark.parametrize("yielded", ["('forward', x)", "''"])
def test_a_generator_that_yields_what_is_no_phase_is_refused_with_its_line(
    stepdbg: list[str], tmp_path: Path, yielded: str
) -> None:
    loop = f"x = 1\ndef loop():\n    yield 'forward'\n    model(torch.ones(2, 3))\n    yield {yielded}\n"
    script = write(tmp_path, BACKWARD + loop)
    status, out, err = run(*stepdbg, f"{script}:loop")
    assert (status, out) == (2, b"")
    assert err.startswith(f"stepdbg: {script}:8 yields ".encode())
    assert b"yields the name of the phase that comes next" in err
    assert err.count(b"\n") == 1


def test_an_exception_of_a_driven_loop_shows_the_users_frames_only(stepdbg: list[str], tmp_path: Path) -> None:
    for text, frames in (("def loop():\n    yield 'data'\n    1 / 0\n", ["loop"]), ("import nowhere\n", ["<module>"])):
        script = write(tmp_path, text + "def loop2(): yield\nloop = globals().get('loop')\n")
        status, _, err = run(*stepdbg, f"{script}:loop")
        assert status == 1
        places = [line.split(" in ")[1] for line in err.decode().splitlines() if line.startswith("  File ")]
        assert places == frames


def test_what_is_no_program_is_told_in_one_line(stepdbg: list[str], tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    status, out, err = run(*stepdbg, program)
    assert (status, out) == (2, b"")
    assert err.startswith(f"stepdbg: cannot run {program}: ".encode())
    assert err.count(b"\n") == 1
