"""Conditions that are read a boundary late: nothing waits for the device, and the stop says so."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from harness.place import ROOT
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import Breakpoint, Stop

TRAIN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
import torch
from harness import far_away
from torch import nn, optim
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
steps = torch.zeros((), dtype=torch.int64)
far_away.install(LAG)
losses, norms = [], []
with torch.device("cpu"):  # a mode, so that each loss goes the way of one on a device
    for i in range(12):
        opt.zero_grad()
        error = (net(x * (1 + i % 4)) - y).square().mean()
        error.backward()
        norms.append(nn.utils.get_total_norm([one.grad for one in net.parameters()]))
        losses.append(error.detach())
        opt.step()
        steps += 1
print([round(float(one), 3) for one in losses])
print([round(float(one), 3) for one in norms])
print(sorted(set(far_away.waits)))
"""


def points(*texts: str) -> tuple[Breakpoint, ...]:
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


def script(tmp_path: Path, lag: int = 1) -> str:
    return write(tmp_path, TRAIN.replace("LAG", str(lag)))


class Course(NamedTuple):
    """What has come of a training with breakpoints."""

    met: dict[int, list[int]]
    """Where each of them was met: the indices of the boundaries."""
    stops: list[Stop]
    end: int
    """The index of the last boundary."""
    waits: list[str]
    """Who has waited for the device."""
    training: Debuggee


def course(path: str, *texts: str, late: bool = True) -> Course:
    """Training, let run; it prints what it prints without stepdbg."""
    met: dict[int, list[int]] = {number: [] for number in range(1, len(texts) + 1)}
    with debuggee(path, go="continue", breakpoints=points(*texts), async_conditions=late) as training:
        stops = []
        for stop in training.stops("continue"):
            stops.append(stop)
            for hit in training.hits:
                met[hit.number].append(stop.boundary.index)
            training.hits.clear()
        code, output, errors = training.end()
    end = stops.pop()
    assert (code, errors, end.reason) == (0, "", "exit")
    *printed, waits = output.splitlines()
    assert printed == bare(path)[1].splitlines()[:-1]
    return Course(met, stops, end.boundary.index, eval(waits), training)


DEVICE = {
    "the loss": [
        "backward if loss > 3",
        "backward if not loss < 3",
        "backward if 3 < loss < 5",
        "backward every 2 if loss > 3",
        "backward of error if loss > 3",
        "backward if error > 3",
    ],
    "the loss, with what Python knows": [
        "backward if loss > 3 and update > 3",
        "backward if update > 3 and loss > 3",
        "backward if ema(loss, 0.5) > 3",
        "step every 2 if loss > 3",
        "step if i > 3 and error > 3",
        "step if loss > 60 * lr",
        "after step if loss > 3",
    ],
    "gradients": [
        "step if grad_norm() > 4.3",
        "step if grad_norm('net.0.*') > 2",
        "step if norm(net[0].weight.grad) > 2",
        "step if norm('net.0.*.grad') > 2 and finite('net.*')",
        "step if mean(net[0].weight.grad) > 0",
        "step if mean(net[0].weight.grad) > 0 and loss > 1",
    ],
    "expressions, and what was before": [
        "step if (net[0].weight.grad.abs() > 1).any()",
        "step if not (net[0].weight.grad.abs() < 1).all()",
        "after step if ratio(net[0].weight) > 0.05",
        "after forward if changed(net[0].weight)",
        "update every 2 if loss > 3",
        "after backward if loss > 3 or grad_norm() > 4.3",
    ],
}


@pytest.mark.parametrize("kind", DEVICE)
def test_what_lies_on_a_device_is_read_at_the_next_boundary_and_nothing_waits(kind: str, tmp_path: Path) -> None:
    path, texts = script(tmp_path), DEVICE[kind]
    wanted, found = course(path, *texts, late=False), course(path, *texts)
    # Where training stops for another breakpoint, or for good, it waits: there nothing is late.
    stopped = {found.end, *(stop.boundary.index for stop in found.stops)}
    for number, text in enumerate(texts, 1):
        assert 1 <= len(wanted.met[number]) <= 12, text
        assert found.met[number] == [index + (index not in stopped) for index in wanted.met[number]], text
    assert set(found.waits) <= {"synchronize in on_the_way.py"}
    assert found.training.remarks == []
    for stop in found.stops:
        assert ", one boundary late (it held in update " in stop.detail
        held = next((one for one in wanted.stops if one.boundary.index == stop.boundary.index - 1), stop).boundary
        after = "after" in stop.detail.split(" if ")[0]
        assert stop.detail.endswith(f"update {held.update if after else held.opens or held.update})")


NEVER = [
    "backward if loss > 99",
    "backward every 2 if ema(error) > 99 or not finite(error)",
    "step if grad_norm() > 99 or norm('net.*.grad') > 99",
    "step if 99 < loss and mean(net[0].weight) > 0",
    "after step if ratio(net[0].weight) > 99",
    "after forward if (x > 99).any()",
    "update every 3 if not finite('net.*')",
]


def test_nothing_waits_for_the_device_while_no_condition_holds(tmp_path: Path) -> None:
    path = script(tmp_path, lag=2)
    found, wanted = course(path, *NEVER), course(path, *NEVER, late=False)
    assert (found.stops, found.waits, found.training.remarks) == ([], [], [])
    assert wanted.stops == []
    assert wanted.waits != []


NEAR = [
    "step if i == 3",
    "backward if update > 10",
    "after step if steps.item() > 4",
    "update 4 if i == 3",
    "step if ema(i, 0.5) > 3",
]


def test_what_does_not_lie_on_a_device_is_not_late(tmp_path: Path) -> None:
    path = script(tmp_path)
    found = course(path, *NEAR)
    assert found.met == course(path, *NEAR, late=False).met
    assert all(found.met.values())
    assert not any("late" in stop.detail for stop in found.stops)
    assert (found.waits, found.training.remarks) == ([], [])


def test_what_python_knows_decides_at_once_where_it_does(tmp_path: Path) -> None:
    path = script(tmp_path)
    text = "backward if update == 7 or loss > 4"
    found, wanted = course(path, text), course(path, text, late=False)
    late = {stop.boundary.index for stop in found.stops if "late" in stop.detail}
    assert [index - (index in late) for index in found.met[1]] == wanted.met[1]
    assert [stop.boundary.update for stop in found.stops if "late" not in stop.detail] == [7]
    assert found.waits == []


WAITING = {
    "backward if float(loss) > 3": "",
    "backward if error.item() > 3": "",
    "backward if (1 if loss > 3 else 0)": "",
    "backward if f'{loss:.1f}' > '3.0'": "",
    "backward if max(loss, 3) > 3": "",
    "step if [one for one in norms if one > 4]": "",
    "step if round(grad_norm(), 2) > 4.3": "TypeError: type Tensor doesn't define __round__ method",
    'step log "{i}" if loss > 3': "only between two phases, and with no message, can it be read late",
    "script.py:21 if loss > 3": "only between two phases, and with no message, can it be read late",
}


def test_what_needs_a_number_on_the_way_waits_as_ever_and_the_breakpoint_says_so(tmp_path: Path) -> None:
    path = script(tmp_path)
    found, wanted = course(path, *WAITING), course(path, *WAITING, late=False)
    assert found.met == wanted.met
    assert all(found.met.values())
    assert not any("late" in stop.detail for stop in found.stops)
    number = "Python needs a number of it on the way"
    assert {one.number: one.remark for one in found.training.remarks} == {
        place: f"waits for the device: {why or number}" for place, why in enumerate(WAITING.values(), 1)
    }
    assert len(found.training.remarks) == len(WAITING)
    assert [one.words for one in found.training.noted] == [one.words for one in wanted.training.noted] != []


def test_what_takes_a_device_longer_is_read_when_it_is_there_and_the_stop_says_how_late(tmp_path: Path) -> None:
    path = script(tmp_path, lag=4)
    wanted, found = course(path, "backward if loss > 4", late=False), course(path, "backward if loss > 4")
    assert found.met[1] == [index + 4 for index in wanted.met[1]]
    updates = [stop.boundary.update for stop in wanted.stops]
    details = [f"breakpoint 1: before backward if loss > 4, 4 boundaries late (it held in update {n})" for n in updates]
    assert [stop.detail for stop in found.stops] == details
    assert found.waits == []


def test_a_late_condition_is_ignored_so_often_and_stops_once_where_that_is_asked(tmp_path: Path) -> None:
    path = script(tmp_path)
    found = course(path, "backward ignore 2 if loss > 3", "backward once if loss > 3")
    places = [(stop.boundary.update, stop.boundary.next) for stop in found.stops]
    assert places == [(update, "step") for update in (1, 3, 4, 5, 9)]


def test_what_held_before_the_last_boundary_is_told_at_the_end(tmp_path: Path) -> None:
    found = course(script(tmp_path), "step at update 12 if grad_norm() > 1")
    assert found.stops == []
    words = "breakpoint 1: before step at update 12 if grad_norm() > 1, one boundary late (it held in update 12)"
    assert found.training.notices == [f"{words}: by then training has ended"]


def test_a_stop_for_something_else_tells_of_what_is_on_its_way(tmp_path: Path) -> None:
    """Training waits there anyway: what takes the device four boundaries is read at the next."""
    found = course(script(tmp_path, lag=4), "backward at update 3 if loss > 3", "step at update 3")
    assert [(stop.boundary.update, stop.boundary.next) for stop in found.stops] == [(3, "step")]
    assert found.met == {1: [15], 2: [15]}


def test_who_steps_is_told_at_the_place_itself(tmp_path: Path) -> None:
    path = script(tmp_path)
    with debuggee(path, breakpoints=points("backward if loss > 3"), async_conditions=True) as training:
        stops = [stop for stop in training.stops() if stop.reason == "breakpoint"]
    assert {(stop.boundary.next, stop.detail) for stop in stops} == {
        ("backward", "breakpoint 1: before backward if loss > 3")
    }


ON_A_STAND_IN = f"""
import contextlib, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from harness import far_away
far_away.install()
DEVICE = "cpu"
@contextlib.contextmanager
def counted():
    met = []
    with torch.device("cpu"):  # a mode, so that each loss goes the way of one on a device
        begun = len(far_away.waits)
        yield met
    met += far_away.waits[begun:]
"""


def test_what_is_measured_of_conditions_on_a_gpu_is_well_on_a_stand_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    gpu, scripts = import_module("gpu"), import_module("gpu_scripts")
    table = gpu.Table()
    gpu.conditions(table, scripts.waiting(ON_A_STAND_IN))
    late, at_once = capsys.readouterr().out.splitlines()
    assert table.bad == 0, (late, at_once)
    assert late.split("read late")[1].strip() == "0 waits more than bare"
    assert int(at_once.split("read at once")[1].split()[0]) >= 20
