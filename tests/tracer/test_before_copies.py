"""How far a step moved a parameter: the same whenever it is asked for, and not what an edit did."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.drawing.lines import Frame
from stepdbg.tui.panels.tensor.change import change_of, draw

SCRIPT = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()
"""
NAMES = ("model.weight", "model.bias")


def test_the_ratio_of_a_step_is_that_of_lr_times_gradient_to_weight_until_the_weight_is_edited(
    tmp_path: Path,
) -> None:
    with debuggee(write(tmp_path, SCRIPT)) as training:
        stop = training.stop()
        while stop is not None and stop.boundary.next != "step":
            stop = training.go()
        before = {row.object: row for row in training.ask(m.Summarise(NAMES)).rows}
        assert all(row.update_ratio is None for row in before.values())
        training.go()
        first = {row.object: row for row in training.ask(m.Summarise(NAMES[:1])).rows}
        assert first.keys() == {"model.weight"}
        preview = training.ask(m.PreviewEdit("model.bias", "old + 100"))
        training.ask(m.ApplyEdit(preview.token))
        training.go()
        after = {row.object: row for row in training.ask(m.Summarise(NAMES)).rows}
        weight = before["model.weight"]
        assert first["model.weight"].update_ratio == pytest.approx(0.1 * weight.grad_norm / weight.norm, rel=1e-4)
        assert after["model.weight"].update_ratio == first["model.weight"].update_ratio
        assert after["model.bias"].update_ratio is None


INFERENCE = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 2048), nn.BatchNorm1d(2048), nn.Linear(2048, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for _ in range(3):
        model.eval()
        with torch.inference_mode():
            model(torch.ones(16, 8)).sum()
        model.train()
        model(torch.randn(16, 8)).square().mean().backward()
        optimizer.step()
"""


def test_copies_made_under_inference_mode_are_written_again_outside_of_it(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, INFERENCE)) as training:
        done = [stop.boundary.done for stop in training.stops()]
        assert training.notices == []
    assert done.count("forward") == 3


AFTER = """
    import copy, torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        optimizer.step()
        with torch.no_grad():
            model.bias.clamp_(-0.01, 0.01)
            for mean, new in zip(average.parameters(), model.parameters()):
                mean.lerp_(new, 0.1)
"""


def test_a_change_is_told_as_the_phases_own_the_script_s_after_it_or_that_of_both(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, AFTER)) as training:
        stops = (stop for stop in training.stops() if stop.boundary.done == "step" and stop.boundary.update == 3)
        assert next(stops).boundary.next == "zero_grad"
        told = {}
        for name in ("model.weight", "model.bias", "average.weight"):
            view = training.ask(m.LookAt(name, rows=2, columns=2))
            change = change_of(view, "value")
            line = "".join(span.text for span in draw(change, "now", Frame(120, 1)))
            told[name] = (change.whose, line.partition(" change ")[2].partition("changed")[0].strip())
        ratios = {row.object: row.update_ratio for row in training.ask(m.Summarise(tuple(told))).rows}
    assert told == {
        "model.weight": ("call", "step"),
        "model.bias": ("both", "step and after it:"),
        "average.weight": ("script", "after step:"),
    }
    assert ratios["model.weight"] is not None
    assert ratios["average.weight"] is None
