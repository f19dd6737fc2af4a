"""Conditions and messages of breakpoints: what they see, what they say, and that they do no harm."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import BreakpointChecked, CheckBreakpoint, Stop

TRAIN = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
def train(updates):
    for i in range(updates):
        opt.zero_grad()
        loss = (net(x + 0.01 * torch.randn(12, 4)) - y).square().mean()
        loss.backward()
        if i == 4:
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1e9)
            print("norm", norm.item(), "loss", loss.item(), "weight", net[0].weight.norm().item())
        opt.step()
    print("end", loss.item())
train(10)
"""


def points(*texts: str) -> tuple:
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


def stops(tmp_path: Path, *texts: str) -> list[Stop]:
    """The stops of the training, let run, with these breakpoints; it ends as it does without them."""
    script = write(tmp_path, TRAIN)
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
    assert found[-1].reason == "exit"
    return found[:-1]


def updates(found: list[Stop]) -> list[int]:
    return [stop.boundary.update for stop in found]


def test_a_condition_reads_the_variables_of_the_frame_it_is_called_from(tmp_path: Path) -> None:
    assert updates(stops(tmp_path, "backward if i == 3 and x.shape[0] == 12")) == [4]


def test_a_name_that_the_script_gives_to_something_else_means_the_vocabulary_s_word(tmp_path: Path) -> None:
    """`norm` is a number of the script's in the fifth update and a word before."""
    found = stops(tmp_path, "clip once if norm(net[0].weight) > 0", "step if update == 5 and norm > 0")
    assert updates(found) == [5, 5]


def test_a_condition_that_raises_stops_there_once_and_says_why(tmp_path: Path) -> None:
    found = stops(tmp_path, "backward if nothing > 2")
    assert updates(found) == [1]
    assert found[0].detail.endswith("NameError: name 'nothing' is not defined")


def test_a_condition_on_what_training_has_not_made_yet_waits_for_it_and_says_so(tmp_path: Path) -> None:
    script = write(tmp_path, TRAIN)
    with debuggee(script, go="continue", breakpoints=points("after forward if loss > 0")) as training:
        found = list(training.stops("continue"))
        assert training.end() == bare(script)
    assert [(stop.reason, stop.boundary.update) for stop in found[:-1]] == [
        ("breakpoint", each) for each in range(2, 11)
    ]
    assert [remark.remark for remark in training.remarks] == ["waits: there is no loss yet", ""]


def test_a_condition_on_what_is_not_there_after_the_first_updates_stops_once_and_says_why(tmp_path: Path) -> None:
    (stop,) = stops(tmp_path, "step if epoch > 0")
    assert stop.boundary.update == 3
    assert stop.detail.endswith("no loader is iterated over yet, so there is no epoch")


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("x > 0", "the condition gives 48 values, not one; put .any() or .all() around what is compared"),
        ("grad_norm('nett.*') > 0", "no parameter's name fits nett.*"),
        ("norm(None) > 0", "ValueError: it is None: there is no tensor"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("grad_norm > 1", "TypeError: grad_norm is a function: write grad_norm()"),
        ("update < 3 and finite", "TypeError: finite is a function: write finite(x)"),
        ("{0: ratio}[0]", "TypeError: ratio is a function: write ratio(x)"),
        ("exit()", "SystemExit"),
        ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    ],
)
def test_what_a_condition_raises_never_reaches_training(condition: str, why: str, tmp_path: Path) -> None:
    (stop,) = stops(tmp_path, f"backward if {condition}")
    assert why in stop.detail


def test_a_breakpoint_is_ignored_so_often_and_a_temporary_one_stops_once(tmp_path: Path) -> None:
    found = stops(tmp_path, "step ignore 7", "backward once")
    assert [(stop.boundary.update, stop.boundary.next) for stop in found] == [
        (1, "backward"), (8, "step"), (9, "step"), (10, "step"),
    ]  # fmt: skip


def test_a_message_is_noted_with_what_torch_computes_and_training_goes_on(tmp_path: Path) -> None:
    script = write(tmp_path, TRAIN)
    words = "norm {grad_norm()} loss {loss} weight {norm(net[0].weight)} {lr} {finite('net.*.grad')}"
    with debuggee(script, go="continue", breakpoints=points(f'step at update 5 log "{words}"')) as training:
        found = list(training.stops("continue"))
        code, output, _ = training.end()
    assert [stop.reason for stop in found] == ["exit"]
    (noted,) = training.noted
    assert (noted.boundary.update, noted.boundary.next) == (5, "step")
    printed = output.split("\n")[0].split()
    told = noted.words.split()
    assert told[::2][:3] == printed[::2] == ["norm", "loss", "weight"]
    assert [float(one) for one in told[1:6:2]] == pytest.approx([float(one) for one in printed[1::2]], rel=1e-6)
    assert told[6:8] == ["0.05", "True"]
    assert code == 0


def test_torch_has_no_word_to_say_where_a_condition_makes_a_number_of_a_tensor(tmp_path: Path) -> None:
    """`loss` is the script's own tensor here; a warning of torch's comes once, and would be the script's no more."""
    assert updates(stops(tmp_path, "backward if float(loss) < 0", "step if round(float(loss), 2) < 0")) == []


def test_conditions_keep_what_they_compare_with_the_time_before(tmp_path: Path) -> None:
    assert updates(stops(tmp_path, "after step if changed(net[0].weight)")) == [*range(2, 10)]
    assert updates(stops(tmp_path, "after step if changed(x)")) == []
    assert updates(stops(tmp_path, "step if ratio(net[0].weight) < 1")) == [*range(2, 11)]


def test_a_condition_that_draws_random_numbers_leaves_those_of_the_script(tmp_path: Path) -> None:
    assert (
        updates(stops(tmp_path, "backward if torch.rand(()) > 2", "step if net(torch.randn(3, 4)).sum() > 1e9")) == []
    )


NORMS = """
import contextlib, torch
from torch import nn, optim
from torch.overrides import TorchFunctionMode
class Seen(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        seen.append(function)
        return function(*args, **(kwargs or {}))
seen = []
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
for update in range(1, 41):
    with Seen() if update % 10 == 7 else contextlib.nullcontext():
        opt.zero_grad()
        loss = (net(x * (1 + update % 4)) - y).square().mean()
        loss.backward()
        if update == 20:  # a layer that is not reached any more, and one of another type in its place
            net[0] = nn.Linear(4, 6)
        opt.step()
    norm = nn.utils.get_total_norm([one.grad for one in net.parameters() if one.grad is not None]).item()
    print(update, norm)
print(len(seen))
"""


@pytest.mark.parametrize(
    "condition",
    ["grad_norm() > {}", "grad_norm() < {} or grad_norm() > {}", "not grad_norm() < {}", "{} < grad_norm()"],
)
def test_the_norm_of_the_gradients_is_told_at_each_step_however_training_goes_on(
    condition: str, tmp_path: Path
) -> None:
    script = write(tmp_path, NORMS)
    printed = [line.split() for line in bare(script)[1].splitlines()[:-1]]
    norms = {int(update): float(norm) for update, norm in printed}
    middle = sorted(norms.values())[len(norms) // 2]
    c = middle * 1.000001
    text = condition.format(*([c * 0.9, c] if condition.count("{}") == 2 else [c]))
    wanted = [update for update, norm in norms.items() if norm > c or (condition.count("{}") == 2 and norm < c * 0.9)]
    with debuggee(script, go="continue", breakpoints=points(f"step if {text}")) as training:
        found = list(training.stops("continue"))[:-1]
        assert training.end() == bare(script)
    assert updates(found) == wanted
    assert 5 < len(wanted) < 40


def test_what_python_thinks_of_a_condition_is_not_told_among_the_script_s_warnings(tmp_path: Path) -> None:
    text = "import warnings\nNEVER = () is 1\n" + TRAIN.replace("opt.step()", "warnings.warn('its own'); opt.step()")
    script = write(tmp_path, text)
    odd = ("backward if loss is 2", "step if grad_norm() is 7", 'after step log "{1 is 2}"', f"{script}:5 if 1 is 2")
    with debuggee(script, go="continue", breakpoints=points(*odd), watches=("loss is 2",)) as training:
        assert [stop.reason for stop in training.stops("continue")] == ["exit"]
        assert training.end() == bare(script)
    warned = bare(script)[2]
    assert (warned.count("UserWarning: its own"), warned.count("SyntaxWarning")) == (1, 1)


def test_a_variable_that_bears_the_name_of_a_word_and_is_not_called_is_the_variable(tmp_path: Path) -> None:
    script = write(tmp_path, TRAIN.replace("opt.step()", "grad_norm = torch.tensor(float(i)); opt.step()"))
    with debuggee(script, go="continue", breakpoints=points("step if grad_norm > 7")) as training:
        found = list(training.stops("continue"))[:-1]
        assert training.end() == bare(script)
    assert updates(found) == [9, 10]


def test_what_the_script_has_under_the_name_of_a_function_of_the_vocabulary_is_meant_where_nothing_calls_it(
    tmp_path: Path,
) -> None:
    """A function would be true in every update."""
    script = write(tmp_path, TRAIN.replace("opt.step()", "changed = i == 4; opt.step()"))
    texts = ("step if changed", "step at update 2 if max(map(norm, [x, y])) > 0")
    with debuggee(script, go="continue", breakpoints=points(*texts)) as training:
        found = list(training.stops("continue"))[:-1]
        assert training.end() == bare(script)
    assert updates(found) == [2, 5]


def test_a_breakpoint_of_another_rank_is_not_met(tmp_path: Path) -> None:
    assert updates(stops(tmp_path, "step on rank 1", "step on rank 0 at update 2")) == [2]


TWO = """
import torch
from torch import nn, optim
torch.manual_seed(0)
D, G = nn.Sequential(nn.Linear(4, 1)), nn.Linear(2, 4)
opt_d, opt_g = optim.SGD(D.parameters(), lr=0.05), optim.SGD(G.parameters(), lr=0.05)
for i in range(3):
    opt_d.zero_grad()
    loss_d = D(G(torch.randn(8, 2)).detach()).mean()
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g = -D(G(torch.randn(8, 2))).mean()
    loss_g.backward()
    opt_g.step()
"""
WHOSE = {
    "step of opt_g": ["step"] * 3,
    "after step of opt_d at update 2": ["zero_grad"],
    "forward of D": ["forward"] * 6,
    "forward of G every 2": ["forward"] * 2,
    "backward of loss_*": ["backward"] * 6,
    "backward of loss_g": ["backward"] * 3,
    "zero_grad of opt_? at update 3": ["zero_grad"] * 2,
    "after forward of G at update 1": ["loss"] * 2,
    "step of nothing": [],
}


@pytest.mark.parametrize("text", WHOSE)
def test_a_breakpoint_is_of_the_model_optimizer_or_loss_that_it_names(text: str, tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TWO), go="continue", breakpoints=points(text)) as training:
        found = [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]
    nexts = [stop.boundary.next for stop in found]
    assert nexts == WHOSE[text]
    if text == "step of opt_g":
        assert [stop.next_of for stop in found] == ["opt_g"] * 3


def test_a_breakpoint_is_checked_before_it_is_set(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, TWO)) as training:
        for stop in training.stops():
            if stop.boundary.next == "backward":
                break
        ask = lambda text: training.ask(CheckBreakpoint(text))  # noqa: E731
        assert ask("step of opt_*") == BreakpointChecked("before step of opt_*", ("opt_d", "opt_g"))
        assert ask("forward of H").unknown == "nothing is called H yet"
        assert ask("bakward").unknown == "no phase is called bakward yet; did you mean backward?"
        assert ask("backward if loss > 100").value == "False"
        assert ask("backward if los > 100").problem == "NameError: name 'los' is not defined"
        assert ask('step log "{i}"').value == "'0'"
        assert "no expression of Python" in ask("step if (").problem


EPOCHS = TRAIN.replace(
    "for i in range(updates):\n",
    "for i, _ in [(n, n) for n in range(0)]: pass\n"
    "    loader = torch.utils.data.DataLoader(range(3))\n"
    "    for i, _ in ((e * 3 + n, b) for e in range(3) for n, b in enumerate(loader)):\n",
)


def test_what_is_behind_where_training_stands_is_told_and_a_condition_is_evaluated_in_the_epoch_that_comes(
    tmp_path: Path,
) -> None:
    with debuggee(write(tmp_path, EPOCHS)) as training:
        for stop in training.stops():
            if stop.boundary.over == 1:
                break
        assert (stop.boundary.epoch, stop.boundary.opens) == (1, 4)
        ask = lambda text: training.ask(CheckBreakpoint(text))  # noqa: E731
        told = {text: ask(text).unknown for text in ("epoch 2", "epoch 3", "update 4", "update 5", "step in epoch 1")}
        assert told == {
            "epoch 2": "epoch 2 is behind: this is epoch 2",
            "epoch 3": "",
            "update 4": "update 4 is behind: this is update 4",
            "update 5": "",
            "step in epoch 1": "epoch 1 is behind: this is epoch 2",
        }
        assert ask("data if epoch == 2").value == "True"


def test_what_a_breakpoint_names_and_nobody_has_met_is_told_once_the_order_is_known(tmp_path: Path) -> None:
    texts = ("step of opt_g", "clip", "forward of H", "backward if loss > 1e9", "update 400")
    with debuggee(write(tmp_path, TWO), breakpoints=points(*texts)) as training:
        told = [(stop.boundary.update, stop.unmet) for stop in training.stops()]
    assert told[0] == (1, ())
    assert told[-1] == (3, (2, 3))


def test_a_condition_on_the_loss_that_raises_costs_no_boundary(tmp_path: Path) -> None:
    """It is evaluated within the wrapper of `backward`, where nothing may go wrong."""
    with debuggee(write(tmp_path, TRAIN), go="continue", breakpoints=points("backward if loss > 'a'")) as training:
        stop, last = training.stops("continue")
        assert "TypeError" in stop.detail
        assert (last.reason, last.boundary.update) == ("exit", 10)
        assert not training.notices


def test_what_is_compared_with_the_time_before_is_asked_at_its_own_updates_only(tmp_path: Path) -> None:
    assert updates(stops(tmp_path, "after step every 4 if changed(net[0].weight)")) == [8]


LIBRARY = """
import torch
from torch import nn, optim
from torch.optim.swa_utils import update_bn
net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
opt = optim.SGD(net.parameters(), lr=0.1)
def train():
    marker = 5
    for _ in range(2):
        opt.zero_grad()
        net(torch.randn(6, 4)).sum().backward()
        opt.step()
    update_bn([torch.randn(6, 4)], net)
train()
"""


def test_a_breakpoint_is_checked_in_the_frame_that_it_would_be_evaluated_in(tmp_path: Path) -> None:
    """A library may stand between the user's frame and the phase."""
    with debuggee(write(tmp_path, LIBRARY)) as training:
        stop = next(stop for stop in training.stops() if stop.frames and stop.frames[0].library)
        checked = training.ask(CheckBreakpoint(f"{stop.boundary.next or stop.boundary.done} if marker == 5"))
    assert (checked.value, checked.problem) == ("True", "")


UNTIL = """
import os, sys, torch
from torch import nn, optim
net = nn.Linear(4, 1)
opt = optim.SGD(net.parameters(), lr=0.05)
while not os.path.exists(sys.argv[1]):
    opt.zero_grad()
    net(torch.ones(3, 4)).sum().backward()
    opt.step()
"""


def test_training_runs_to_a_time(tmp_path: Path) -> None:
    script, until, end = write(tmp_path, UNTIL), time.time() + 2, tmp_path / "end"
    moment = msgspec.structs.replace(parse("time 2026-11-30 14:30"), number=1, time=until)
    with debuggee(script, str(end), go="continue", breakpoints=(moment,)) as training:
        stops = training.stops("continue")
        assert next(stops).reason == "breakpoint"
        assert time.time() >= until
        end.touch()
        assert [stop.reason for stop in stops] == ["exit"]


RECORDED = """
import torch
from torch import nn, optim
from stepdbg.tracer.tensors import devices
net = nn.Linear(4, 1)
opt = optim.SGD(net.parameters(), lr=0.05)
asked = []
for i in range(8):
    if i in (2, 5):  # as where a CUDA graph is begun and ended
        devices.recording(1 if i == 2 else -1)
    opt.zero_grad()
    net(torch.ones(3, 4)).sum().backward()
    opt.step()
print(asked)
"""


def test_while_a_graph_is_recorded_no_condition_is_evaluated_and_nothing_sampled(tmp_path: Path) -> None:
    script = write(tmp_path, RECORDED)
    with debuggee(
        script, go="continue", breakpoints=points("step if asked.append(i)"), watches=("asked.append(-i)",)
    ) as training:
        assert [stop.reason for stop in training.stops("continue")] == ["exit"]
        code, output, _ = training.end()
    asked = eval(output)
    assert code == 0
    assert [i for i in asked if i > 0] == [1, 5, 6, 7]
    assert not {-2, -3, -4} & {*asked}
    assert -1 in asked
