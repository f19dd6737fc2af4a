"""The thread that is debugged is the one that trains, whichever that is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.layout import in_training

TRAINING = """
import threading, queue, sys
from concurrent.futures import ThreadPoolExecutor
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 1)
opt = torch.optim.Rprop(model.parameters())
data = torch.utils.data.DataLoader(torch.randn(6, 3), batch_size=2)

def train():
    for x in data:
        opt.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        opt.step()

def within(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()
"""
ORDER = ["data", "zero_grad", "forward", "loss", "backward", "step"]
WAYS = {
    "the main one": "train()",
    "a thread": "within(train)",
    "an executor": "ThreadPoolExecutor(1).submit(train).result()",
    "a thread, after a trial forward in the main one": "model(torch.ones(1, 3)).sum().item(); within(train)",
    "a thread, after an evaluation in the main one": "with torch.no_grad(): model(torch.ones(1, 3))\nwithin(train)",
    "the main one, after an evaluation in a thread": "within(torch.no_grad()(model), torch.ones(1, 3)); train()",
    "the main one, fed by a thread": (
        "batches = queue.Queue(1)\n"
        "threading.Thread(target=lambda: [batches.put(x) for x in data], daemon=True).start()\n"
        "data = [batches.get() for _ in range(3)]\n"
        "train()"
    ),
    "a daemon that is left": "done = threading.Event()\n"
    "threading.Thread(target=lambda: (train(), done.set(), threading.Event().wait()), daemon=True).start()\n"
    "done.wait()",
}


@pytest.mark.parametrize("way", WAYS)
def test_whichever_thread_trains_is_the_one_that_is_debugged(tmp_path: Path, way: str) -> None:
    script = write(tmp_path, TRAINING + WAYS[way] + "\nprint(loss_of := model.weight.sum().item())\n")
    with debuggee(script) as training:
        stops = list(training.stops())
        assert training.end() == bare(script)
        assert training.notices == []
    done = [stop.boundary.done for stop in stops if stop.boundary.done in ORDER]
    expected = ORDER if way != "the main one, fed by a thread" else ORDER[1:]
    first = done.index("backward")
    assert done[first:][: 14 if expected is ORDER else 12] == [*expected[expected.index("backward") :], *expected * 2]
    assert stops[-1].reason == "exit"
    assert stops[-1].boundary.update == 3


def test_the_next_thread_takes_the_place_of_one_that_has_ended(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "within(train)\nwithin(train)\n")
    with debuggee(script, go="continue", trace=m.Tracing()) as training:
        assert training.stop().reason == "exit"  # type: ignore[union-attr]
        training.send(m.Resume("continue"))
        assert training.stop() is None
        assert training.notices == []
    assert [one.boundary.done for one in training.traced].count("backward") == 6
    assert training.traced[-1].boundary.update == 6
    assert training.traced[-1].boundary.epoch == 2


def test_what_a_second_thread_trains_beside_the_first_is_said_in_a_free_run_too(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "train()\nwithin(train)\n")
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert stop.boundary.update == 3
        assert len(training.notices) == 1
        assert "another thread" in training.notices[0]


def test_an_exception_in_the_thread_that_trains_is_a_stop_and_the_script_goes_on(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + "data = [torch.ones(2, 3), torch.ones(2, 4)]\nwithin(train)\nprint('on')\n")
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert (stop.reason, stop.boundary.inside) == ("exception", ("forward",))
        stop = training.go("continue")
        assert stop is not None
        assert stop.reason == "exit"
        training.send(m.Resume("continue"))
        status, out, err = training.end()
    assert (status, out) == (0, "on\n")
    assert err.startswith("Exception in thread Thread-")
    assert "stepdbg" not in err.replace(str(tmp_path), "")


ASKED = """
import os
class Net(nn.Linear):
    def __getattribute__(self, name):
        if name == "training":
            print("asked")
        return super().__getattribute__(name)

def evaluate():
    model(torch.ones(1, 3))

model = Net(3, 1)
opt = torch.optim.Rprop(model.parameters())
within(evaluate)
train()
within(evaluate)
sys.stdout.flush()
if (child := os.fork()) == 0:
    evaluate()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
"""


def test_nobody_asks_a_model_of_the_user_s_whether_it_is_in_training_mode(tmp_path: Path) -> None:
    script = write(tmp_path, TRAINING + ASKED)
    with debuggee(script, go="finish") as training:
        assert training.stop() is not None
        while training.go("finish") is not None:
            pass
        assert training.end() == bare(script)


def test_the_training_mode_is_read_as_torch_keeps_it() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 1))
    assert in_training(module)
    assert not in_training(module.eval())
    assert not in_training(torch.jit.script(module))
    assert in_training(torch.jit.script(module.train()))
