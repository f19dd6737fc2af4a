"""A stop at an exception that leaves a hooked call comes before anything on the way out has torn something down, and
only where nothing there will catch it; afterwards the script is as bare.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

START = """
import contextlib, os, signal, sys, threading, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)

class Rows(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, i): return torch.ones(4) if i < 7 or WHERE != "data" else torch.ones(4)[i]

def closure():
    loss = net(torch.ones(2, 5)).mean()
    loss.backward()

def deed(x):
    optimizer.zero_grad()
    loss = net(x[:, :3] if WHERE == "forward" else x).square().mean()
    if WHERE == "backward": net[2].weight.register_hook(lambda grad: grad @ torch.ones(7))
    loss.backward()
    if WHERE == "step": optimizer.step(closure)
    optimizer.step()

def train(updates=2):
    for update in range(updates):
        for x in torch.utils.data.DataLoader(Rows(), 4):
            if update or WHERE == "data" or fails_at_once: deed(x)
            else: print("passed")
fails_at_once = False

def torn_down():
    global optimizer
    print("torn down", len(optimizer.param_groups))
    with open(sys.argv[0] + ".left", "a") as file:
        print("left", [float(one.detach().sum()) for one in net.parameters()], file=file)
    net.to("meta")
    optimizer.param_groups.clear()
"""
LETS_PASS = {
    "finally": "try:\n    train()\nfinally:\n    torn_down()\n",
    "with": "with contextlib.ExitStack() as stack, torch.autocast('cpu', enabled=False), open(os.devnull):\n"
    "    stack.callback(torn_down)\n    train()\n",
    "raises it again": "try:\n    train()\nexcept BaseException as error:\n    torn_down()\n    raise\n",
    "raises another": "try:\n    train()\nexcept Exception as error:\n    torn_down()\n"
    "    raise ValueError('mine') from error\n",
    "ends the script": "try:\n    train()\nexcept Exception as error:\n    torn_down()\n    print(error)\n"
    "    sys.exit(3)\n",
}
CATCHES = {
    "a clause": "try:\n    train()\nexcept Exception as error:\n    print('caught', error)\n",
    "another try": "for size in (3, 4):\n    try:\n        WHERE = 'forward' if size == 3 else ''\n        train()\n"
    "        break\n    except RuntimeError:\n        print('smaller')\n",
    "a with": "with contextlib.suppress(Exception):\n    train()\n",
    "a clause that looks at it": "try:\n    train()\nexcept Exception as error:\n"
    "    if 'never' in str(error):\n        raise\n    print('caught', error)\n",
}
PLACES = ("data", "forward", "backward", "step")


def of(where: str, program: str) -> str:
    return f"WHERE = {where!r}\n{START}\n{program}"


def failed(training: Debuggee, go: m.Go = "continue") -> list[m.Stop]:
    return [stop for stop in training.stops(go) if stop.reason == "exception"]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("way", LETS_PASS)
def test_nothing_is_torn_down_at_the_stop_and_afterwards_the_script_is_as_bare(
    way: str, where: str, tmp_path: Path
) -> None:
    script = write(tmp_path, of(where, LETS_PASS[way]))
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "exception"
        assert stop.failure is not None
        assert where in stop.boundary.inside
        names = [row.name for row in training.ask(m.ListObjects()).rows]
        mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
        told = training.ask(m.Evaluate(mine, "len(optimizer.param_groups), net[0].weight.device.type"))
        assert told.value == "(1, 'cpu')"
        assert {"net.0.weight", "net.2.bias"} <= {*names}
        assert training.go("continue") is None
        ended = training.end()
        assert training.notices == []
    left = Path(f"{script}.left").read_text()
    assert ended == bare(script)
    assert Path(f"{script}.left").read_text() == left * 2
    assert "torn down 1" in ended[1]
    if way not in ("raises another", "ends the script"):
        assert stop.failure.traceback.endswith(ended[2].partition("\n")[2])


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("way", CATCHES)
def test_what_the_script_catches_is_no_stop(way: str, where: str, tmp_path: Path) -> None:
    script = write(tmp_path, of(where, CATCHES[way]))
    with debuggee(script, go="continue") as training:
        assert [stop.reason for stop in training.stops("continue")] == ["exit"]
        assert training.end() == bare(script)


def test_with_stop_on_never_it_passes(tmp_path: Path) -> None:
    script = write(tmp_path, of("forward", LETS_PASS["finally"]))
    with debuggee(script, go="continue", exceptions=False) as training:
        assert training.stop() is None
        assert training.end() == bare(script)


def test_an_exception_of_what_is_typed_into_the_console_is_no_stop(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, of("", "train()"))) as training:
        stop = training.stop()
        for _ in range(3):
            stop = training.go()
        assert stop is not None
        mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
        told = training.ask(m.Evaluate(mine, "net(torch.ones(2, 9))"))
        assert "mat1 and mat2" in told.failure
        assert [one.reason for one in training.stops_from(training.go("continue"), "continue")] == ["exit"]


def test_an_exception_of_what_is_typed_at_such_a_stop_is_told_alone(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, of("forward", LETS_PASS["finally"])), go="continue") as training:
        stop = training.stop()
        assert stop is not None
        mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
        told = training.ask(m.Evaluate(mine, "1 / 0"))
        assert told.failure.count("Traceback") == 1
        assert told.failure.endswith("ZeroDivisionError: division by zero")
        assert training.go("continue") is None


INTERRUPTED = """
def interrupts(grad):
    os.kill(os.getpid(), signal.SIGINT)
net[0].weight.register_hook(interrupts)
try:
    train()
finally:
    torn_down()
"""


def test_an_interrupt_within_a_call_is_a_stop_before_anything_is_torn_down(tmp_path: Path) -> None:
    script = write(tmp_path, of("", INTERRUPTED))
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert sentence(stop).startswith("KeyboardInterrupt in backward")
        assert "net.0.weight" in [row.name for row in training.ask(m.ListObjects()).rows]
        assert training.go("continue") is None
        ended = training.end()
    assert ended == bare(script)
    assert "torn down 1" in ended[1]


def test_a_process_that_is_asked_to_end_while_training_stands_does_not_stop_for_that(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, of("", "try:\n    train()\nfinally:\n    torn_down()\n"))) as training:
        training.stop()
        training.go()
        os.kill(training.process.pid, signal.SIGINT)
        assert isinstance(training.next_message(), m.Resumed)
        assert training.stop() is None
        _, out, err = training.end()
        assert ("torn down 1" in out, "KeyboardInterrupt" in err) == (True, True)


IN_A_THREAD = """
def work():
    try:
        train()
    finally:
        print("cleaned", net[0].weight.device)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print("joined")
"""


def test_in_a_thread_that_trains_it_is_one_stop_and_the_script_goes_on(tmp_path: Path) -> None:
    script = write(tmp_path, of("forward", IN_A_THREAD))
    with debuggee(script, go="continue") as training:
        reasons = [stop.reason for stop in training.stops("continue")]
        assert reasons == ["exception", "exit"]
        ended = training.end()
    assert (ended[0], ended[1]) == bare(script)[:2]


CAUGHT_BY_C = """
class Shown:
    def __length_hint__(self): train(); return 1
    def __iter__(self): return iter(())
def broken(*_): raise TypeError("no")
net.register_forward_hook(broken)
WHERE = "forward "
fails_at_once = True
for turn in range(3):
    print(list(Shown()))
"""


def test_a_place_at_which_something_has_caught_it_after_all_is_no_stop_again(tmp_path: Path) -> None:
    script = write(tmp_path, of("", CAUGHT_BY_C))
    with debuggee(script, go="continue") as training:
        reasons = [stop.reason for stop in training.stops("continue")]
        assert reasons == ["exception", "exit"]
        assert training.end() == bare(script)
