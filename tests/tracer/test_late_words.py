"""Words of conditions on a device: they say what they say on the CPU, and nothing that waits is let through."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from harness.device_events import Event, has_events
from harness.stand_in import OnDevice, ledger, there

from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.conditions.condition import Condition, Namespace, is_true
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory, Vocabulary
from stepdbg.tracer.breakpoints.late.truth import truth_of
from stepdbg.tracer.breakpoints.late.unwaiting import Unwaiting, Waits
from stepdbg.tracer.breakpoints.late.words import LateVocabulary
from stepdbg.tracer.session import on_the_way
from stepdbg.tracer.tensors import readable


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "ORDINARY", readable.ORDINARY | {OnDevice})


def truth(source: str, memory: Memory, variables: dict[str, Any], loss: torch.Tensor) -> Any:
    """Whether that is true where variables lie on a device; a tensor where the truth does."""
    words = LateVocabulary(None, None, at(0.0), memory, None, loss=lambda: loss)  # type: ignore[arg-type]
    memory.begin()
    with Unwaiting():
        return truth_of(source)(Namespace(frame(variables), words, Condition(source)))


def at_once(source: str, memory: Memory, variables: dict[str, Any], loss: float) -> bool:
    """The same as it is on the CPU."""
    memory.begin()
    words = Vocabulary(None, None, at(loss), memory, None)  # type: ignore[arg-type]
    return is_true(Condition(source).value(frame(variables), words))


def at(loss: float) -> Arrival:
    from stepdbg.protocol.messages import Boundary

    return Arrival(Boundary(3, 7, loss=loss), False, True)


def frame(variables: dict[str, Any]) -> Any:
    """A frame that has these variables."""
    found: dict[str, Any] = {"sys": sys, **variables}
    exec("frame = sys._getframe()", found)
    return found["frame"]


def rounds(kind: str) -> list[dict[str, torch.Tensor]]:
    """Some tensors, as they are in three evaluations one after the other."""
    torch.manual_seed(1)
    x, y = torch.randn(6, 5), torch.randn(40).half()
    bad = torch.tensor([1.0, float("nan"), float("inf")])
    moved = [x, x + (0.5 if kind == "moves" else 0.0), x * 2]
    return [{"x": one, "y": y, "bad": bad, "none": torch.empty(0)} for one in moved]


CONDITIONS = [
    "norm(x) > {}", "norm([x, y]) > {}", "mean(x) > {}", "mean((x, y)) < {}", "norm(none) > {}", "mean(bad) > {}",
    "finite(x)", "finite([x, bad])", "not finite(bad)", "changed(x)", "ratio(x) > {}", "not ratio(x) > {}",
    "loss > {}", "0.1 < loss < {}", "ema(loss) > {}", "ema(norm(x), 0.5) > {}", "ema(x.sum(), 0.5) < {}",
    "loss > {} or norm(x) > {}", "norm(x) > {} and not changed(y)", "update == 7 and loss > {}", "x.abs().max() > {}",
    "(x > {}).any()", "loss == loss", "x.sum()", "norm(x) - loss", "ratio(y) > 0", "norm(x) in () or mean(x) > {}",
]  # fmt: skip


@pytest.mark.parametrize("source", CONDITIONS)
@pytest.mark.parametrize("kind", ["moves", "stays"])
def test_a_condition_is_as_true_on_a_device_as_on_the_cpu(source: str, kind: str) -> None:
    for level in (0.1, 0.3, 0.7, 1.0, 4.0, 5.5, 6.5, 8.0):
        text = source.replace("{}", str(level))
        near, far = Memory(), Memory()
        for number, variables in enumerate(rounds(kind)):
            loss = 0.3 + 0.4 * number
            wanted = at_once(text, near, variables, loss)
            with ledger() as asked:
                given = {name: there(one) for name, one in variables.items()}
                found = truth(text, far, given, there(torch.tensor(loss, dtype=torch.float64)))
            assert not asked.waits, text
            assert asked.fetched == 0
            if isinstance(found, torch.Tensor):
                assert (type(found), found.shape, found.dtype) == (OnDevice, (), torch.bool)
                found = bool(found.held)
            assert found is wanted, (text, number)


REFUSED = [
    "float(norm(x)) > 1", "x.sum().item() > 1", "x.cpu().sum() > 1", "x.to('cpu').sum() > 1", "x.tolist()[0] > 1",
    "x[x > 0].sum() > 1", "torch.nonzero(x).numel() > 1", "torch.equal(x, x)", "len(torch.unique(x)) > 3",
    "1 if norm(x) > 1 else 0", "norm(x) > 1 if x.sum() > 1 else False", "x.sum() in (1, 2)", "max(norm(x), 1) > 1",
    "torch.masked_select(x, x > 0).sum() > 1", "torch.zeros(()).copy_(x.sum()) > 1", "[1, 2][x.argmax() > 3] > 1",
]  # fmt: skip


@pytest.mark.parametrize("source", REFUSED)
def test_what_would_wait_for_the_device_is_refused_before_it_does(source: str) -> None:
    with ledger() as asked:
        given = {"x": there(torch.randn(6, 5)), "torch": torch}
        with pytest.raises(Waits):
            truth(source, Memory(), given, there(torch.tensor(1.0)))
    assert not asked.waits
    assert asked.fetched == 0


def test_several_values_are_told_to_be_no_condition_without_a_wait() -> None:
    with ledger() as asked, pytest.raises(ValueError, match="the condition gives 30 values, not one"):
        truth("x > 0", Memory(), {"x": there(torch.randn(6, 5))}, there(torch.tensor(1.0)))
    assert not asked.waits


def test_what_lies_on_the_cpu_may_be_read_beside_it() -> None:
    with ledger() as asked:
        given = {"x": there(torch.ones(4)), "z": torch.tensor([0.0, 3.0])}
        found = truth("norm(x) > 1 and z.max().item() == 3", Memory(), given, there(torch.tensor(1.0)))
    assert bool(found.held)
    assert not asked.waits


def test_a_truth_is_copied_without_waiting_and_not_read_before_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    has_events(monkeypatch)
    way = on_the_way.OnTheWay[str](2)
    with ledger() as asked:
        one = there(torch.tensor(True))
        assert on_the_way.is_far(one)
        assert on_the_way.can_travel(one.device)
        assert way.send_for(one, "first")
        assert way.send_for(there(torch.tensor(False)), "second")
        assert not way.send_for(there(torch.tensor(False)), "one too many")
        assert [*way.arrived()] == []
        Event.over = True
        assert [(what, bool(value)) for what, value in way.arrived()] == [("first", True), ("second", False)]
    assert not asked.waits
    assert not way
