"""A forgotten zero_grad is told where the second step is made with what is left of the first; what is meant is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m

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


def suspected(tmp_path: Path, text: str) -> list[str]:
    """What is suspected at each step."""
    with debuggee(write(tmp_path, text)) as training:
        return [stop.suspicion for stop in training.stops() if stop.boundary.done == "step"]


def add_up(steps: int, what: str = "the gradients of 2 parameters") -> str:
    one = what.startswith("the gradient of")
    verb, them = ("adds", "it") if one else ("add", "them")
    return f"{what} {verb} up over {steps} steps: nothing has cleared {them}"


FORGOTTEN = {
    "never cleared": (loop("of_d().backward()", "opt_d.step()"), ["", add_up(2), add_up(3)]),
    "cleared for another optimizer, which had none": (
        loop("opt_g.zero_grad()", "of_d().backward()", "opt_d.step()"), ["", add_up(2), add_up(3)],
    ),
    "accumulated, and never cleared": (
        loop("of_d().backward()", "of_d().backward()", "opt_d.step()", times=2), ["", add_up(2)],
    ),
    "of one parameter only": (
        loop("D.weight.square().sum().backward()", "opt_d.step()", times=2),
        ["", add_up(2, "the gradient of D.weight")],
    ),
    "clipped in between": (
        loop("of_d().backward()", "nn.utils.clip_grad_norm_(D.parameters(), 1.0)", "opt_d.step()", times=2),
        ["", add_up(2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGOTTEN)
def test_gradients_that_nothing_has_cleared_between_two_steps_are_told_at_the_second(name: str, tmp_path: Path) -> None:
    text, told = FORGOTTEN[name]
    assert suspected(tmp_path, text) == told


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
def test_gradients_that_are_added_to_on_purpose_are_not_suspected(name: str, tmp_path: Path) -> None:
    found = suspected(tmp_path, MEANT[name])
    assert found
    assert set(found) == {""}


def test_where_nobody_looked_in_between_or_the_user_has_written_nothing_is_said(tmp_path: Path) -> None:
    script = write(tmp_path, loop("of_d().backward()", "opt_d.step()", times=6))
    found = []
    with debuggee(script) as training:
        for stop in training.stops():
            if stop.boundary.done == "step":
                found.append(stop.suspicion)
            if stop.boundary.done == "backward" and stop.boundary.update == 3:
                training.ask(m.Evaluate(0, "by_hand()"))
    assert found == ["", add_up(2), "", "", add_up(2), add_up(3)]
    with debuggee(script, go="continue", breakpoints=(m.Breakpoint(1, "step", when="after"),)) as training:
        assert {stop.suspicion for stop in training.stops("continue")} == {""}
