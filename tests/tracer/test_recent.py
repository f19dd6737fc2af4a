"""What the user's variables hold of an update beyond the newest: batches made by hand, outputs that others replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m

DEMOS = Path(__file__).parents[2] / "demos"
BY_HAND = """
import gc
import torch
import weakref
from torch import nn

torch.manual_seed(0)
data, wanted = torch.randn(12, 4), torch.randn(12, 1)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
seen = []

def train():
    for start in (0, 4, 8):
        y = wanted[start : start + 4]
        if start < 8:
            x = data[start : start + 4]
        optimizer.zero_grad()
        if start == 8:
            x = data[start : start + 4]
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        seen.append(weakref.ref(x))
        del x, loss
        gc.collect()
        print(seen[-1]() is None, sum(p.sum().item() for p in model.parameters()))

train()
"""


def listed(objects: m.Objects, kind: str) -> list[str]:
    return [row.name for row in objects.rows if row.cls == kind]


def test_what_a_model_is_called_with_is_the_batch_where_no_loader_made_one(tmp_path: Path) -> None:
    path = str(write(tmp_path, BY_HAND))
    batches, created = [], []
    with debuggee(path) as training:
        for stop in training.stops():
            if stop.boundary.next is not None:
                batches.append((stop.boundary.next, listed(training.ask(m.ListObjects()), "batch")))
                created += [one.object for one in stop.effects.named if one.kind == "batch"] if stop.effects else []
        assert training.end() == bare(path), "the same bits, and nothing lives longer"
        assert not training.notices
    assert batches[:7] == [
        ("zero_grad", []),
        ("forward", ["x"]),
        ("loss", ["x"]),
        ("backward", ["x"]),
        ("step", ["x"]),
        ("zero_grad", []),
        ("forward", ["x"]),
    ]
    assert created == ["x"], "zero_grad made none that was there before it"


def test_an_output_that_a_later_forward_has_replaced_is_listed_while_a_variable_holds_it() -> None:
    arguments = (str(DEMOS / "gan.py"), "--updates", "2", "--digest")
    with debuggee(*arguments) as training:
        found = {}
        for stop in training.stops():
            objects = training.ask(m.ListObjects())
            found[stop.boundary.update, stop.boundary.done, stop.boundary.next] = objects
            if "fake" in listed(objects, "output"):
                assert isinstance(training.ask(m.LookAt("fake", rows=1, columns=2)), m.TensorView)
        assert training.end() == bare(*arguments)
    before_backward = found[2, "loss", "backward"]
    assert "fake" in listed(before_backward, "output")
    assert "real" in listed(before_backward, "batch")


TWO_MODELS = """
    import torch
    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
    for _ in range(2):
        fake = first(torch.ones(2, 3))
        loss = torch.nn.functional.mse_loss(second(fake), torch.ones(2, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_an_output_that_no_variable_takes_is_not_called_as_the_one_of_another_model(tmp_path: Path) -> None:
    told = []
    with debuggee(write(tmp_path, TWO_MODELS)) as training:
        for stop in training.stops():
            found = [effect.object for effect in stop.effects.named if effect.kind == "output"] if stop.effects else []
            told += [(stop.boundary.done, name) for name in found]
        assert training.end()[0] == 0
    assert told == [("forward", "fake"), ("forward", "output")] * 2


YIELDING = """
    import gc
    import torch
    import weakref
    from torch import nn
    from stepdbg import loop

    torch.manual_seed(0)
    data, wanted = torch.randn(12, 4), torch.randn(12, 1)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = torch.zeros(3)
    seen = []

    @loop
    def train():
        for start in (0, 4, 8):
            FETCHED
            yield "zero_grad"
            optimizer.zero_grad()
            yield "forward"
            output = model(x)
            yield "loss"
            loss = nn.functional.mse_loss(output, batch["y"])
            yield "backward"
            loss.backward()
            yield "step"
            optimizer.step()
            late = loss.detach()
            seen.append(weakref.ref(x))
            del x, batch, loss, output
            gc.collect()
            print(seen[-1]() is None, late.item(), sum(p.sum().item() for p in model.parameters()))

    train()
"""
FETCH = """x = data[start : start + 4]
            batch, again, weight = {"y": wanted[start : start + 4]}, kept, model.weight"""


def test_what_the_data_phase_of_a_generator_loop_fetches_is_the_batch(tmp_path: Path) -> None:
    path = str(write(tmp_path, YIELDING.replace("FETCHED", f'yield "data"\n            {FETCH}')))
    batches, created = [], []
    with debuggee(path) as training:
        for stop in training.stops():
            if stop.boundary.next is None:
                continue
            batches.append((stop.boundary.next, listed(training.ask(m.ListObjects()), "batch")))
            named = stop.effects.named if stop.effects else ()
            created += [(stop.boundary.done, one.object, one.what) for one in named if one.kind == "batch"]
            if stop.boundary.done == "data":
                assert training.ask(m.LookAt("batch['y']", rows=1, columns=1)).shape == (4, 1)
        assert training.end() == bare(path), "the same bits, and nothing lives longer"
        assert not training.notices
    both = ["x", "batch['y']"]
    one_update = [("zero_grad", both), ("forward", both), ("loss", both), ("backward", both), ("step", both)]
    assert batches == [*[("data", []), *one_update] * 3]
    assert created == [("data", name, "created") for name in both] * 3


def test_with_no_data_phase_a_generators_batch_is_what_its_model_is_called_with(tmp_path: Path) -> None:
    path = str(write(tmp_path, YIELDING.replace("FETCHED", FETCH)))
    batches = []
    with debuggee(path) as training:
        for stop in training.stops():
            batches.append((stop.boundary.next, listed(training.ask(m.ListObjects()), "batch")))
        assert training.end() == bare(path)
    assert batches[:5] == [("zero_grad", []), ("forward", []), ("loss", ["x"]), ("backward", ["x"]), ("step", ["x"])]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (
            "zero_grad",
            ["x", "batch['y']"],
        ),  # the phase before a breakpoint is foreseen: somebody stood at its beginning
        ("loss", ["x"]),  # nobody stood there, and what else is a batch is not guessed
    ],
)
def test_at_a_breakpoint_the_batch_is_what_was_seen_to_be_one(tmp_path: Path, before: str, found: list[str]) -> None:
    path = str(write(tmp_path, YIELDING.replace("FETCHED", f'yield "data"\n            {FETCH}')))
    point = m.Breakpoint(1, before, "before", 2)
    with debuggee(path, breakpoints=(point,), go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert (stop.boundary.next, stop.boundary.update) == (before, 2)
        assert listed(training.ask(m.ListObjects()), "batch") == found
        while training.go("continue") is not None:
            pass
        assert training.end() == bare(path)
