"""Unmodified scripts of diverse make, while everything that can be waited for is: the same bits, output and status."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest
from scripts.courses import COURSES
from scripts.courses.truly_wrong import TRULY_WRONG
from scripts.running import COLD, PROGRAMS
from tracer.bare_hub import bare, debuggee

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import Breakpoint

EVERYWHERE = (
    'backward log "{loss} of update {update}"',
    "step if grad_norm() > 1e30",
    'after step every 2 log "{grad_norm()} {lr}"',
    "forward if update > 1000000",
    "update 1000000",
    "forward of *.*.* if update > 1000000",
    'after forward of *.0 log "{update}"',
    'gradient of *.weight log "{update}"',
    "when *.weight changes if update > 1000000",
    "when *.bias leaves -1e30 to 1e30",
    "when *.weight stays 1000000 updates",
    "first nan",
)
"""Breakpoints of every kind. Some notes; some raise, or find what is not finite, and stop: training goes on at once."""
WATCHED = ("loss", "grad_norm()", "ratio('*.weight')", "update * 2")


def waited_for(script: Path) -> tuple[Breakpoint, ...]:
    """All of these, and every third line of the script that has code, with a condition that reads its variables."""
    lines = sorted({node.lineno for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.stmt)})
    texts = (*EVERYWHERE, *(f"{script}:{line} if len(locals()) < 0" for line in lines[::3]))
    return tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))


@pytest.mark.parametrize("name", [name for name in COURSES if name not in COLD])
def test_what_is_waited_for_changes_nothing(name: str) -> None:
    script = PROGRAMS / f"{name}.py"
    with debuggee(str(script), go="continue", breakpoints=waited_for(script), watches=WATCHED) as training:
        reasons = {stop.reason for stop in training.stops("continue")}
        assert training.end() == bare(str(script))
    if name == "gan":
        noting = {number for number, text in enumerate(EVERYWHERE, 1) if " log " in text}
        assert {noted.number for noted in training.noted} == noting
    assert reasons <= {"breakpoint", "nan", "exit", "exception"}


@pytest.mark.parametrize(
    "name",
    ["gan", "accumulation", "lbfgs", "closure_called_to_log", "evaluations", "maml", "sam", "scaler_skips_a_step",
     "steps_within_backward", "every_scheduler"],
)  # fmt: skip
def test_rules_that_look_at_every_boundary_of_a_run_change_nothing_and_stop_it_for_what_is_wrong(name: str) -> None:
    script = PROGRAMS / f"{name}.py"
    with debuggee(str(script), go="continue", breakpoints=(Breakpoint(1, finding=True),)) as training:
        stopped = {stop.detail for stop in training.stops("continue") if stop.reason == "breakpoint"}
        assert training.end() == bare(str(script))
    assert stopped == {f"new finding ({rule})" for rule in TRULY_WRONG.get(name, {})}
