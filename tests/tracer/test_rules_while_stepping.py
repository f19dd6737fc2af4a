"""While somebody steps the rules look at each boundary that is looked at: a forgotten zero_grad is told where a second
step is made with what is left of the first, and what is meant is not.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import Debuggee, bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import parse

BEGIN = """
import torch
from torch import nn
torch.manual_seed(0)
D, G = nn.Linear(3, 1), nn.Linear(2, 3)
opt_d, opt_g = torch.optim.SGD(D.parameters(), 0.01), torch.optim.SGD(G.parameters(), 0.01)
x, z = torch.randn(4, 3), torch.randn(4, 2)
def of_d(): return D(x).square().mean()
def of_g(): return D(G(z)).square().mean()
def by_hand():
    for p in D.parameters(): p.grad = None
"""


def loop(*lines: str, times: int = 3) -> str:
    return "\n".join((BEGIN, f"for i in range({times}):", *(f"    {line}" for line in lines)))


def found(training: Debuggee, until: m.Go = "next") -> list[list[tuple[str, int, int]]]:
    """What the rules find where each step is done: the rule, and the updates in which it was met first and last. (What
    no loss reaches is left out.)
    """
    told = []
    for stop in training.stops(until):
        if stop.boundary.done == "step":
            told.append([(one.rule, one.first, one.last) for one in training.found if one.rule != "no-gradient"])
            training.found.clear()
    return told


def again(first: int, last: int) -> list[tuple[str, int, int]]:
    return [("stale-gradients", first, last)]


FORGOTTEN = {
    "never cleared": (loop("of_d().backward()", "opt_d.step()"), [[], again(2, 2), again(2, 3)]),
    "cleared for another optimizer, which had none": (
        loop("opt_g.zero_grad()", "of_d().backward()", "opt_d.step()"), [[], again(2, 2), again(2, 3)],
    ),
    "accumulated, and never cleared": (
        loop("of_d().backward()", "of_d().backward()", "opt_d.step()", times=2), [[], again(2, 2)],
    ),
    "of one parameter only": (
        loop("D.weight.square().sum().backward()", "opt_d.step()", times=2), [[], again(2, 2)],
    ),
    "clipped in between": (
        loop("of_d().backward()", "nn.utils.clip_grad_norm_(D.parameters(), 1.0)", "opt_d.step()", times=2),
        [[], again(2, 2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGOTTEN)
def test_what_a_rule_finds_is_told_at_the_stop_where_it_shows_and_when_it_is_met_again(
    name: str, tmp_path: Path
) -> None:
    text, told = FORGOTTEN[name]
    with debuggee(write(tmp_path, text)) as training:
        assert found(training) == told


MEANT = {
    "cleared before": loop("opt_d.zero_grad()", "of_d().backward()", "opt_d.step()"),
    "cleared after": loop("of_d().backward()", "opt_d.step()", "D.zero_grad()"),
    "written with zeros": loop("opt_d.zero_grad(set_to_none=False)", "of_d().backward()", "opt_d.step()"),
    "taken away by hand": loop("of_d().backward()", "opt_d.step()", "by_hand()"),
    "written with zeros by hand": loop(
        "[p.grad.zero_() for p in D.parameters() if p.grad is not None]", "of_d().backward()", "opt_d.step()"
    ),
    "accumulated": loop("opt_d.zero_grad()", "of_d().backward()", "of_d().backward()", "opt_d.step()"),
    "another's, which are cleared before its own step": loop(
        "opt_d.zero_grad(); of_d().backward()", "opt_d.step()", "opt_g.zero_grad(); of_g().backward()", "opt_g.step()"
    ),
    "another's, all cleared at once": loop(
        "opt_d.zero_grad(); opt_g.zero_grad()", "of_d().backward(); opt_d.step()", "of_g().backward(); opt_g.step()"
    ),
    "gathered while another steps": loop(
        "if i % 2 == 0: opt_g.zero_grad()",
        "of_g().backward()",
        "D.zero_grad(); of_d().backward()",
        "opt_d.step()",
        "if i % 2: opt_g.step()",
        times=4,
    ),
    "a closure that clears": "\n".join((
        BEGIN,
        "lbfgs = torch.optim.LBFGS(D.parameters(), max_iter=3)",
        "def closure():",
        "    lbfgs.zero_grad(); loss = of_d(); loss.backward(); return loss",
        "for i in range(2): lbfgs.step(closure)",
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_what_is_meant_is_not_found(name: str, tmp_path: Path) -> None:
    with debuggee(write(tmp_path, MEANT[name])) as training:
        told = found(training)
    assert told
    assert not [one for one in told if one]


def test_after_the_user_has_written_the_rules_rest_on_nothing_that_was_before(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=6))) as training:
        told = []
        for stop in training.stops():
            if stop.boundary.done == "step":
                told.append([one.last for one in training.found])
                training.found.clear()
            if stop.boundary.done == "backward" and stop.boundary.update == 3:
                training.ask(m.Evaluate(0, "by_hand()"))
    assert told == [[], [2], [], [], [5], [6]]


def test_in_a_free_run_no_rule_looks_and_where_boundaries_passed_unseen_none_concludes(tmp_path: Path) -> None:
    script = write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=6))
    with debuggee(script, go="continue", breakpoints=(m.Breakpoint(1, "step", when="after"),)) as training:
        assert not any(found(training, "continue"))


def test_what_passes_on_the_way_to_the_end_of_the_update_is_looked_at(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=4))) as training:
        told = []
        for stop in training.stops("finish"):
            told.append((stop.boundary.opens, [one.last for one in training.found]))
            training.found.clear()
    assert told == [(1, []), (2, []), (3, [2]), (4, [3]), (None, [4])]


def test_rows_of_evaluations_that_are_one_step_are_no_gap(tmp_path: Path) -> None:
    lines = ("with torch.no_grad(): D(x); D(x); D(x)", "of_d().backward()", "opt_d.step()")
    script = write(tmp_path, loop(*lines, times=3))
    with debuggee(script) as training:
        assert found(training) == [[], again(2, 2), again(2, 3)]


def test_a_finding_names_its_phase_and_whose_it_is(tmp_path: Path) -> None:
    script = write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=2))
    with debuggee(script) as training:
        list(training.stops())
    (one,) = training.found
    assert (one.phase, one.line) == ("backward", script_line(script, "of_d().backward()"))


def script_line(script: str, words: str) -> int:
    """The line of a script that says so."""
    return next(number for number, line in enumerate(Path(script).read_text().splitlines(), 1) if words == line.strip())


def stops_for_findings(script: str, text: str = "new finding") -> list[tuple[int, str | None, str]]:
    """Where a run without end stops: the update, the phase done, and why."""
    point = msgspec.structs.replace(parse(text), number=1)
    with debuggee(script, go="continue", breakpoints=(point,)) as training:
        stops = [
            (stop.boundary.update, stop.boundary.done, stop.detail)
            for stop in training.stops("continue")
            if stop.reason == "breakpoint"
        ]
        assert len(training.hits) == len(stops)
        assert [one.remark for one in training.remarks] == ["every phase is looked at, which is slower"]
        assert training.end() == bare(script)
    return stops


def test_training_stops_where_a_rule_finds_something_new_and_only_there(tmp_path: Path) -> None:
    late = ("of_d().backward()", "opt_d.step()", "if i < 3: opt_d.zero_grad()", "print(D.weight.sum().item())")
    stops = stops_for_findings(write(tmp_path, loop(*late, times=8)))
    assert stops == [(5, "step", "new finding (stale-gradients)")]


def test_where_nothing_is_found_training_goes_on_to_its_end(tmp_path: Path) -> None:
    assert stops_for_findings(write(tmp_path, MEANT["a closure that clears"])) == []


def test_what_training_has_stopped_for_is_all_there_and_stepping_goes_on_from_it(tmp_path: Path) -> None:
    script = write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=4))
    with debuggee(script, go="continue", breakpoints=(m.Breakpoint(1, finding=True),)) as training:
        stop = training.stop()
        assert stop is not None
        assert stop.effects is not None
        assert stop.effects.basis == "fingerprint"
        assert {one.object for one in stop.effects.named if one.kind == "parameter"} == {"D.weight", "D.bias"}
        assert [one.boundary for one in training.found] == [stop.boundary.index]
        moved = training.ask(m.LookAt("D.weight", side="change"))
        assert moved.statistics.norm > 0
        after = training.go()
        assert after is not None
        assert (after.reason, after.boundary.done) == ("step", "forward")
        assert after.effects is not None
        assert {one.kind for one in after.effects.counts} == {"output"}


def test_on_the_way_to_the_end_of_an_update_training_stops_for_a_finding_too(tmp_path: Path) -> None:
    lines = ("of_d().backward()", "opt_d.step()", "of_d().backward()", "opt_g.zero_grad(); opt_g.step()")
    with debuggee(write(tmp_path, loop(*lines, times=3)), breakpoints=(m.Breakpoint(1, finding=True),)) as training:
        reasons = [(stop.reason, stop.boundary.done) for stop in training.stops("finish")]
    assert ("breakpoint", "step") in reasons


def test_where_very_much_is_alive_the_rules_look_only_if_asked_and_say_so_once(tmp_path: Path) -> None:
    many = "import stepdbg.tracer.checks.while_stepping as rules\nrules.MOST = 3\n"
    script = write(tmp_path, many + loop("of_d().backward()", "opt_d.step()"))
    with debuggee(script) as training:
        assert not any(found(training))
        assert len([one for one in training.notices if "the rules do not look while you step" in one]) == 1
    with debuggee(script, breakpoints=(m.Breakpoint(1, finding=True),)) as training:
        assert found(training) == [[], again(2, 2), again(2, 3)]
        assert training.notices == []
