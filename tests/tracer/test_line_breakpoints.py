"""A breakpoint on a line stops training before that line runs, wherever it is, and changes nothing of the run."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import parse

HELPER = """
def scaled(x):
    y = x * 2  # helper
    return y
"""
TRAIN = """
import sys
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
class Rows(Dataset):
    rows = torch.randn(6, 4)  # class body
    def __len__(self):
        return 6
    def __getitem__(self, place):
        row = self.rows[place]  # getitem
        return row, row.sum(0, keepdim=True)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)
    def forward(self, x):
        import helper
        x = helper.scaled(x)
        out = self.fc(x)  # forward
        return out
class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors  # backward
        return 2 * x * grad
def numbers(count):
    for number in range(count):
        yield number  # generator
def depth(n):
    if n:
        depth(n - 1)
    return n  # recursion
net = Net()
opt = optim.LBFGS(net.parameters(), lr=0.1, max_iter=2)
loader = DataLoader(Rows(), batch_size=3)
def train(epochs):
    sizes = []
    for epoch in range(epochs):
        for x, y in loader:
            def closure():
                opt.zero_grad()
                loss = Squared.apply(net(x) - y).mean()  # closure
                loss.backward()
                return loss
            loss = opt.step(
                closure
            )  # done
            sizes = [
                size + 1  # comprehension
                for size in x.shape
            ]
            total = sum([size for size in sizes])  # one line
            print(epoch, loss.item(), total)  # loop
            assert depth(2) == 2
    for number in numbers(2):
        print(number)
    try:
        raise ValueError("seen")  # raises
    except ValueError as error:
        print(error)  # handler
train(2)
"""


def line_of(text: str, mark: str) -> int:
    lines = textwrap.dedent(text).splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))


def written(folder: Path) -> str:
    write(folder, HELPER, "helper.py")
    return write(folder, TRAIN, "train.py")


def points(*texts: str) -> tuple[m.Breakpoint, ...]:
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


def stops(tmp_path: Path, *texts: str) -> list[m.Stop]:
    """The stops of the training, let run, with these breakpoints; it ends as it does without them."""
    script = written(tmp_path)
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
        assert not training.notices
    assert found[-1].reason == "exit"
    return found[:-1]


CASES = {
    "class body": (1, ()),
    "getitem": (12, ("data",)),
    "helper": (None, ("step", "forward")),
    "forward": (None, ("step", "forward")),
    "backward": (None, ("step", "backward")),
    "generator": (2, None),
    "recursion": (12, None),
    "closure": (None, ("step",)),
    "comprehension": (8, None),
    "one line": (4, None),
    "loop": (4, None),
    "raises": (1, None),
    "handler": (1, None),
}


@pytest.mark.parametrize("mark", CASES)
def test_a_line_stops_training_each_time_before_it_runs(mark: str, tmp_path: Path) -> None:
    count, inside = CASES[mark]
    file, text = ("helper.py", HELPER) if mark == "helper" else ("train.py", TRAIN)
    line = line_of(text, mark)
    found = stops(tmp_path, f"{file}:{line}")
    assert found
    assert count in (None, len(found))
    for stop in found:
        assert (stop.reason, stop.boundary.line, stop.frames[0].line) == ("breakpoint", line, line)
        assert stop.inner is not None
        assert (stop.inner.unit, stop.inner.name) == ("line", f"{file}:{line}")
        assert inside in (None, stop.boundary.inside)
    indices = [stop.boundary.index for stop in found]
    assert indices == sorted(set(indices))


SHORT = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Linear(4, 1)
opt = optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
def train(updates):
    seen = 0
    for i in range(updates):
        opt.zero_grad()
        loss = (net(x) - y).square().mean()
        seen += 1  # between
        loss.backward()
        opt.step()
        print(i, seen, loss.item())  # after
train(6)
"""
BETWEEN, AFTER = line_of(SHORT, "between"), line_of(SHORT, "after")
CLAUSES = {
    f"train.py:{AFTER} if i == 3": [4],
    f"train.py:{AFTER} if loss < 3.5 and update > 1": None,
    f"train.py:{AFTER} ignore 4": [5, 6],
    f"train.py:{AFTER} once": [1],
    f"train.py:{AFTER} every 2": [2, 4, 6],
    f"train.py:{AFTER} at update 3": [3],
    f"train.py:{AFTER} on rank 1": [],
    f"train.py:{AFTER} once if seen == 5": [5],
    f"train.py:{AFTER} if nothing": [1],
    f"train.py:{BETWEEN} if grad_norm() > 0 and i == 2": [],
}


def trained(tmp_path: Path, *texts: str) -> tuple[list[m.Stop], list[m.Noted]]:
    script = write(tmp_path, SHORT, "train.py")
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
    return found[:-1], training.noted


@pytest.mark.parametrize("text", CLAUSES)
def test_a_line_is_met_where_all_that_is_written_of_it_holds(text: str, tmp_path: Path) -> None:
    found, _ = trained(tmp_path, text)
    if CLAUSES[text] is not None:
        assert [stop.boundary.update for stop in found] == CLAUSES[text]
    assert all(stop.detail.startswith(f"breakpoint 1: {text}") for stop in found)


def test_a_line_notes_a_message_instead_of_a_stop(tmp_path: Path) -> None:
    found, noted = trained(tmp_path, f'train.py:{AFTER} every 3 log "{{i}} of {{updates}}"')
    assert not found
    assert [(one.words, one.boundary.update, one.boundary.line) for one in noted] == [
        ("2 of 6", 3, AFTER),
        ("5 of 6", 6, AFTER),
    ]


def test_a_line_set_at_a_stop_is_met_in_the_loop_that_runs_already_and_then_the_next_phase(tmp_path: Path) -> None:
    script = write(tmp_path, SHORT, "train.py")
    with debuggee(script, go="continue", breakpoints=points("backward at update 2")) as training:
        assert training.stop() is not None
        checked = training.ask(m.CheckBreakpoint(f"train.py:{AFTER} if i > 2"))
        assert (checked.matches, checked.value) == ((f"train in {script}",), "False")
        training.send(m.SetBreakpoints(points(f"train.py:{AFTER}")))
        stop = training.go("continue")
        assert stop is not None
        assert (stop.boundary.update, stop.boundary.line, stop.boundary.inside) == (2, AFTER, ())
        named = {row.name: row.text for row in training.ask(m.ListLocals(0)).rows}
        assert (named["i"], named["seen"]) == ("1", "2")
        stop = training.go("next")
        assert stop is not None
        assert (stop.boundary.next, stop.boundary.opens, stop.inner) == ("zero_grad", 3, None)
        training.send(m.SetBreakpoints(()))
        stop = training.go("continue")
        assert [one.reason for one in training.stops_from(stop, "continue")] == ["exit"]
        assert training.end() == bare(script)


def test_a_variable_assigned_at_a_line_is_what_the_script_goes_on_with(tmp_path: Path) -> None:
    script = write(tmp_path, SHORT, "train.py")
    with debuggee(script, go="continue", breakpoints=points(f"train.py:{AFTER} if i == 4")) as training:
        assert training.stop() is not None
        assert training.ask(m.Evaluate(0, "seen = 70")).failure == ""
        assert training.ask(m.Evaluate(0, "seen")).value == "70"
        assert len(list(training.stops_from(training.go("continue"), "continue"))) == 1
        assert [line.split()[:2] for line in training.end()[1].splitlines()][4:] == [["4", "70"], ["5", "71"]]


def test_what_a_breakpoint_on_a_line_lacks_is_told_at_once(tmp_path: Path) -> None:
    script = write(tmp_path, SHORT, "train.py")
    lines = points("train.py:1", "trian.py:3", "train.py:9")
    with debuggee(script, breakpoints=lines) as training:
        stop = training.stop()
        assert stop is not None
        told = [(one.number, one.problem) for one in training.failed]
        assert told == [(1, "line 1 of train.py has no code; the nearest that has is 2")]
        assert stop.unmet == (2,)
        told = training.ask(m.CheckBreakpoint("trian.py:3")).unknown
        assert told == "no file trian.py was met yet; did you mean train.py?"
        told = training.ask(m.CheckBreakpoint("train.py:1")).problem
        assert told == "line 1 of train.py has no code; the nearest that has is 2"


def test_a_trace_function_of_the_script_s_stays_and_it_is_told_that_lines_are_not_met(tmp_path: Path) -> None:
    traced = """
    import sys
    calls = []
    def mine(frame, event, arg):
        if frame.f_code.co_name == "train": calls.append((event, frame.f_lineno))
        return mine
    sys.settrace(mine)
    """
    script = write(tmp_path, textwrap.dedent(traced) + SHORT + "\nassert sys.gettrace() is mine\nprint(calls)\n")
    with debuggee(script, go="continue", breakpoints=points("script.py:20")) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
    assert [stop.reason for stop in found] == ["exit"]
    assert "a trace function of its own" in "".join(training.notices)


def test_a_trace_function_that_comes_and_goes_is_the_script_s_alone_meanwhile(tmp_path: Path) -> None:
    text = SHORT.replace("train(6)", "train(9)").replace("import torch\n", "import sys, torch\nseen = []\n")
    text = text.replace(
        "        opt.zero_grad()\n",
        "        if i == 2: sys.settrace(lambda frame, event, _: calls.append(frame.f_code.co_name == 'zero_grad'))\n"
        "        opt.zero_grad()\n"
        "        if i == 5: assert sys.gettrace() and sys.settrace(None) is None and any(calls)\n",
    ).replace("seen = []", "calls = []")
    script = write(tmp_path, text, "train.py")
    lines = points(f"train.py:{line_of(text, 'after')}", "backward at update 4", "backward at update 7")
    with debuggee(script, go="continue", breakpoints=lines) as training:
        found = [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]
        assert training.end() == bare(script)
    assert {stop.boundary.update for stop in found if stop.inner is not None} - {3, 6} == {1, 2, 7, 8, 9}
    assert "a trace function of its own" in "".join(training.notices)


def test_nothing_is_left_where_no_line_is_waited_for_any_more(tmp_path: Path) -> None:
    seen = SHORT + "\nimport sys, json\nprint(json.dumps([sys.gettrace() is None, sys._getframe().f_trace is None]))\n"
    script = write(tmp_path, seen, "train.py")
    with debuggee(script, go="continue", breakpoints=points(f"train.py:{AFTER} if i == 2")) as training:
        assert training.stop() is not None
        training.send(m.SetBreakpoints(()))
        assert len(list(training.stops_from(training.go("continue"), "continue"))) == 1
        assert json.loads(training.end()[1].splitlines()[-1]) == [True, True]


def test_a_line_of_a_data_set_is_not_stopped_at_in_a_loader_s_worker(tmp_path: Path) -> None:
    text = TRAIN.replace("batch_size=3)", "batch_size=3, num_workers=1, multiprocessing_context='fork')")
    write(tmp_path, HELPER, "helper.py")
    script = write(tmp_path, text, "train.py")
    lines = points(f"train.py:{line_of(text, 'getitem')}", f"train.py:{line_of(text, 'raises')}")
    with debuggee(script, go="continue", breakpoints=lines) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
    assert [stop.boundary.line for stop in found[:-1]] == [line_of(text, "raises")]


def test_lines_of_what_torch_has_compiled_are_not_stopped_at(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import torch
        from torch import nn, optim
        torch.manual_seed(0)
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 1)
            def forward(self, x):
                x = x * 2  # compiled
                return self.fc(x)
        net = Net()
        fast = torch.compile(net, backend="eager")
        opt = optim.SGD(net.parameters(), lr=0.05)
        for i in range(3):
            opt.zero_grad()
            loss = fast(torch.ones(3, 4)).mean()
            loss.backward()
            opt.step()
            print(loss.item())
        """,
        "train.py",
    )
    line = next(n for n, text in enumerate(Path(script).read_text().splitlines(), 1) if "# compiled" in text)
    with debuggee(script, go="continue", breakpoints=points(f"train.py:{line}"), cold=True) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script, cold=True)
    assert [stop.reason for stop in found] == ["exit"]
    compiled = "its lines do not run one by one: torch.compile has compiled Net.forward"
    assert [one.problem for one in training.failed] == [compiled]


def test_two_files_that_are_called_alike_are_told_and_a_library_s_file_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "def f():\n    return 1\n", "net.py")
    script = write(tmp_path, "import a.net, b.net\n" + SHORT, "train.py")
    lines = points("net.py:2", "a/net.py:2", f"{json.__file__}:300")
    with debuggee(script, breakpoints=lines) as training:
        assert training.stop() is not None
        told = {one.number: one.problem for one in training.failed}
    assert told == {
        1: f"net.py is {tmp_path}/a/net.py and {tmp_path}/b/net.py; write more of the path",
        3: f"{json.__file__} is a library's; training is stopped at lines of your own code",
    }


def test_a_line_of_a_generator_loop_is_within_the_phase_that_runs(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        """
        import torch
        def train():
            weight = torch.nn.Parameter(torch.ones(2))
            opt = torch.optim.SGD([weight], lr=0.1)
            for i in range(3):
                yield "forward"
                loss = weight.sum()
                loss = loss * 2  # within
                yield "backward"
                loss.backward()
                yield "step"
                opt.step()
        """,
        "loop.py",
    )
    line = next(n for n, text in enumerate(Path(script).read_text().splitlines(), 1) if "# within" in text)
    with debuggee(
        "-m", "stepdbg.tracer.drive", script, "train", go="continue", breakpoints=points(f"loop.py:{line}"), cold=True
    ) as training:
        found = [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]
    assert [(stop.boundary.update, stop.boundary.inside) for stop in found] == [(n, ("forward",)) for n in (1, 2, 3)]


def test_a_forked_process_that_trains_stops_at_its_lines_as_a_rank_of_its_own_would(tmp_path: Path) -> None:
    """Lines are let go of in a child; its parent still stops at them."""
    forks = """
    import os
    import sys
    def child():
        if os.fork() == 0:
            traced = sys.gettrace() is not None
            os._exit(traced)
        print(os.wait()[1])
    """
    script = write(
        tmp_path,
        textwrap.dedent(forks) + SHORT.replace("    print(i", "    if i == 2: child()\n        print(i"),
        "train.py",
    )
    line = next(n for n, text in enumerate(Path(script).read_text().splitlines(), 1) if "# after" in text)
    with debuggee(script, go="continue", breakpoints=points(f"train.py:{line}")) as training:
        found = [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]
        assert training.end() == bare(script)
    assert len(found) == 6
