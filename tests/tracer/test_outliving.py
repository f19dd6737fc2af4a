"""What a script lets go of is let go of here, one look later: memory, names and rows are those of what it still has."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

REBOUND = """
import weakref
import torch

model = torch.nn.Linear(2, 1)
made = []
for update in range(5):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    made.append(weakref.ref(optimizer))
    optimizer.zero_grad()
    loss = model(torch.ones(3, 2)).pow(2).mean()
    loss.backward()
    optimizer.step()
    print("alive", sum(one() is not None for one in made), flush=True)
"""
FOLDS = """
import torch

def fold():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 2)).pow(2).mean()
        loss.backward()
        optimizer.step()

for _ in range(3):
    fold()
"""


def stops_of(tmp_path: Path, script: str) -> tuple[list[m.Stop], str]:
    with debuggee(write(tmp_path, script)) as training:
        stops = list(training.stops())
        _, out, _ = training.end()
    return stops, out


def test_an_optimizer_made_anew_in_each_update_goes_as_it_does_without_a_debugger(tmp_path: Path) -> None:
    stops, out = stops_of(tmp_path, REBOUND)
    assert out.split() == ["alive", "1"] * 5
    said = {sentence(stop) for stop in stops if stop.boundary.done == "step"}
    assert all("created 6 entries of optimizer state" in words for words in said)
    assert not any("optimizer_2" in words for words in said), "the variable is called optimizer"
    cleared = {sentence(stop) for stop in stops if stop.boundary.done == "zero_grad" and stop.boundary.update > 1}
    assert cleared == {"zero_grad freed the gradients of 2 parameters"}


def test_a_trace_lets_go_of_it_too(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, REBOUND), go="continue", trace=m.Tracing(effects=True)) as training:
        list(training.stops("continue"))
        _, out, _ = training.end()
    assert out.split() == ["alive", "1"] * 5


@pytest.mark.parametrize("number", range(3))
def test_the_last_step_of_a_function_is_told_and_the_next_one_has_the_names(tmp_path: Path, number: int) -> None:
    stops, _ = stops_of(tmp_path, FOLDS)
    steps = [stop for stop in stops if stop.boundary.done == "step"]
    assert len(steps) == 6
    last = sentence(steps[2 * number + 1])
    assert "changed model.weight and model.bias and updated 6 entries of optimizer state" in last
    assert sentence(steps[2 * number]).startswith("step changed model.weight and model.bias")
