"""A watched value that is no tensor: numbers of Python and of numpy, and whatever else takes their place.

No comparison of the script runs for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tracer.bare_hub import bare, debuggee, write
from tracer.test_watchpoints import met, points

from stepdbg.tracer.tensors.readable import Unreadable
from stepdbg.tracer.watchpoints.readings import not_finite, now, outside, reading


class Counts(float):
    """A number of the script's, which would know that it was asked."""

    asked = 0

    def _ask(self, *_: object) -> Any:
        type(self).asked += 1
        raise RuntimeError("asked")

    __le__ = __ge__ = __lt__ = __gt__ = __abs__ = __float__ = __repr__ = __str__ = __bool__ = __eq__ = _ask
    __hash__ = float.__hash__


@pytest.mark.parametrize("value", [0.5, 1, True, np.float64(0.5), np.float32(0.5), np.int64(1), np.bool_(True)])
def test_a_number_within_its_range_is_nothing_to_stop_for(value: Any) -> None:
    assert outside(value, "", 0, 1) == ""
    assert not_finite(value, "") == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [(2.5, "2.5"), (-1, "-1"), (10**400, str(10**400)), (np.float64(2.5), "2.5"), (float("nan"), "nan")],
)
def test_a_number_outside_of_its_range_is_told_as_a_number(value: Any, words: str) -> None:
    assert outside(value, "", 0, 1) == f"it is {words}"
    assert now(value, "") == words


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), complex(0, float("inf")), np.float32("nan")])
def test_a_number_that_is_not_finite_is_told(value: Any) -> None:
    assert not_finite(value, "").startswith("it is ")


@pytest.mark.parametrize("value", [10**400, 3 + 4j, np.complex64(1j)])
def test_what_is_large_or_complex_is_finite(value: Any) -> None:
    assert not_finite(value, "") == ""


@pytest.mark.parametrize(
    "value", ["text", [1.0], {"a": 1}, object(), Counts(3.0)], ids=lambda value: type(value).__name__
)
def test_what_is_no_number_is_said_to_be_none_and_nothing_of_it_runs(value: Any) -> None:
    for look in (lambda: outside(value, "", 0, 1), lambda: not_finite(value, "")):
        with pytest.raises(Unreadable, match="no number"):
            look()
    assert reading(value, "", None, 100).mark == now(value, "")
    assert Counts.asked == 0


def test_complex_numbers_have_no_order() -> None:
    with pytest.raises(Unreadable, match="no order"):
        outside(3 + 4j, "", 0, 1)


BECOMES = """
import torch
from torch import nn, optim
torch.manual_seed(0)
asked = 0
class Meter(float):
    def _ask(self, *_):
        global asked
        asked += 1
        raise RuntimeError("asked")
    __le__ = __ge__ = __abs__ = __float__ = __repr__ = _ask
net = nn.Linear(2, 1)
opt = optim.SGD(net.parameters(), lr=0.1)
scores = [0.25, 0.5, "none", Meter(3.0), None, 0.75, 5.0]
for score in scores:
    opt.zero_grad()
    net(torch.ones(3, 2)).mean().backward()
    opt.step()
print(asked, sum(p.sum().item() for p in net.parameters()))
"""


def test_a_variable_that_is_no_number_for_a_while_is_told_once_and_watched_on(tmp_path: Path) -> None:
    script = write(tmp_path, BECOMES)
    with debuggee(script, go="continue", breakpoints=points("when score leaves 0 to 1")) as training:
        stops = met(training)
        ended = training.end()
    assert ended == bare(script)
    assert [stop.boundary.opens for stop in stops] == [3, 7]
    assert stops[0].detail == "breakpoint 1: when score leaves 0 to 1: it is 'none', which is no number"
    assert stops[1].detail.endswith("it is 5.0")
