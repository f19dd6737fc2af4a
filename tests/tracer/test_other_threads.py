"""What another thread of the script trains is not listed, and no `.grad` is read that it may be writing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from torch import nn
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import parse
from stepdbg.tracer.objects import other_threads
from stepdbg.tracer.objects.other_threads import BesideBackward, gradient, gradients

BESIDE = """
import threading
import torch
from torch import nn

model, beside = nn.Linear(3, 1), nn.Linear(3, 1)
optimizer, other = (torch.optim.Adam(one.parameters(), lr=0.1) for one in (model, beside))
x = torch.ones(5, 3)

def train_beside():
    other.zero_grad()
    beside(x).square().mean().backward()
    other.step()

for i in range(3):
    optimizer.zero_grad()
    if i == 1:
        thread = threading.Thread(target=train_beside)
        thread.start()
        thread.join()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
print(loss.item(), beside.weight.tolist())
"""

AT_ONCE = """
import threading
import torch
from torch import nn

torch.manual_seed(1)
model, beside = nn.Linear(3, 1), nn.Linear(3, 1)
optimizer, other = (torch.optim.SGD(one.parameters(), lr=1e-3) for one in (model, {beside}))
x = torch.ones(5, 3)
over, begun = threading.Event(), threading.Event()

def train_beside():
    while not over.is_set():
        other.zero_grad({how})
        {beside}(x).square().mean().backward()
        other.step()
        begun.set()

thread = threading.Thread(target=train_beside)
for i in range(150):
    optimizer.zero_grad({how})
    if i == 1:
        thread.start()
        begun.wait()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
over.set()
thread.join()
print([one._post_accumulate_grad_hooks for one in (*model.parameters(), *beside.parameters())])
"""
WAITED_FOR = ("gradient of *.weight", "gradient of *.bias", "first nan", "step if grad_norm() > 1e30")


@pytest.mark.parametrize("shared", [False, True], ids=["another model", "the same model"])
def test_two_threads_that_train_at_once_live_through_breakpoints_on_gradients(shared: bool, tmp_path: Path) -> None:
    how = "set_to_none=False" if shared else ""  # the script itself would not live through the other way
    path = write(tmp_path, AT_ONCE.replace("{beside}", "model" if shared else "beside").replace("{how}", how))
    texts = [f'{text} log "{{update}}"' if text.startswith("gradient") else text for text in WAITED_FOR]
    points = tuple(replace(parse(text), number=number) for number, text in enumerate(texts, 1))
    with debuggee(path, go="continue", breakpoints=points) as training:
        assert not [stop.reason for stop in training.stops("continue") if stop.reason == "exception"]
        assert training.end() == (0, f"{[None] * 4}\n", "")
    updates = [int(noted.words) for noted in training.noted]
    assert updates == sorted(updates)


def test_what_another_thread_trains_is_listed_no_more_and_the_user_is_told_once(tmp_path: Path) -> None:
    path = write(tmp_path, BESIDE)
    last: list[str] = []
    with debuggee(path) as training:
        for stop in training.stops():
            if stop.boundary.next is not None:
                last = [row.name for row in training.ask(m.ListObjects()).rows]
                optimizers = [one.name for one in training.ask(m.ListOptimizers()).optimizers]
        assert training.end() == bare(path)
        assert len(training.notices) == 1
        assert "another thread" in str(training.notices[0])
    assert "model.weight" in last
    assert not [name for name in last if name.startswith(("beside", "other"))]
    assert optimizers == ["optimizer"]


def test_no_grad_is_read_while_another_threads_backward_may_write_it() -> None:
    ours, theirs = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(3, 2)
    for model in (ours, theirs):
        model(x).sum().backward()
    arrived, go_on = threading.Event(), threading.Event()

    def hold(_: torch.Tensor) -> None:
        arrived.set()
        go_on.wait()

    def train() -> None:
        loss = theirs(x).sum()
        with BesideBackward(loss):
            loss.backward()

    theirs.weight.register_post_accumulate_grad_hook(hold)
    thread = threading.Thread(target=train)
    thread.start()
    arrived.wait()
    try:
        assert gradient(theirs.weight) is None
        assert gradients([theirs.bias, ours.weight]) == [None, ours.weight.grad]
        assert gradient(ours.weight) is ours.weight.grad
    finally:
        go_on.set()
        thread.join()
    assert gradient(theirs.weight) is theirs.weight.grad is not None


class Turn:
    """A lock that says when somebody comes to it."""

    def __init__(self) -> None:
        self.lock, self.asked = threading.RLock(), threading.Event()

    def __enter__(self) -> None:
        self.asked.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_a_backward_of_another_thread_begins_after_a_reading_not_in_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_threads, "_turn", turn := Turn())
    weight = torch.ones(2, requires_grad=True)
    begun = threading.Event()

    def train() -> None:
        with BesideBackward(weight.sum()):
            begun.set()

    thread = threading.Thread(target=train)
    with turn.lock:  # as while a `.grad` is read
        thread.start()
        turn.asked.wait()
        assert not begun.is_set()
    thread.join()
    assert begun.is_set()


def test_a_fork_takes_no_backward_of_another_thread_along() -> None:
    with BesideBackward(torch.ones(2, requires_grad=True).sum()):
        pid = os.fork()
        if pid == 0:
            os._exit(len(other_threads._running))
        assert os.waitpid(pid, 0)[1] == 0
        assert len(other_threads._running) == 1
