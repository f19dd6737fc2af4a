"""What the script does where no boundary is told, between two forwards or a model that returns its loss and backward,
is told as come before the call that follows, and not as its doing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

START = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    class Returning(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)
        def forward(self, x):
            return self.inner(x).square().mean()
    first, second, returning, average = nn.Linear(4, 4), nn.Linear(4, 4), Returning(), nn.Linear(4, 4)
    opt = torch.optim.SGD([p for one in (first, second, returning) for p in one.parameters()], lr=0.1)
    x = torch.randn(8, 4)
    def between():
        with torch.no_grad():
            average.weight.mul_(0.5)
        return torch.rand(8, 4)
"""
KINDS = {
    "between two forwards": (
        """
        h = first(x)
        noisy = h + between()
        loss = second(noisy).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        """,
        "forward",
    ),
    "between a forward and an evaluation": (
        """
        h = first(x)
        noise = between()
        with torch.no_grad():
            goal = average(noise)
        loss = (h - goal).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        """,
        "eval",
    ),
    "between a model that returns its loss and backward": (
        """
        opt.zero_grad()
        loss = returning(x)
        noise = between()
        loss.backward()
        opt.step()
        """,
        "backward",
    ),
}


def script_of(kind: str, tmp_path: Path) -> str:
    return write(tmp_path, START + "    average(x).sum().backward()\n    for i in range(3):" + KINDS[kind][0])


def strange(effects: tuple[m.Effect, ...]) -> set[tuple[str, bool, bool]]:
    """What the call had no part in: each with whether it is told as come before it, and as after it."""
    return {(one.object, one.before, one.after) for one in effects if one.object in ("average.weight", "torch random")}


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_before_a_call_is_not_told_as_its_doing_in_a_trace(kind: str, tmp_path: Path) -> None:
    with debuggee(script_of(kind, tmp_path), trace=m.Tracing(updates=None, effects=True)) as training:
        for _ in training.stops():
            pass
        training.end()
    told = [(line.boundary.done, found) for line in training.traced if (found := strange(line.effects or ()))]
    assert told == [(KINDS[kind][1], {("average.weight", True, False), ("torch random", True, False)})] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_says_what_came_before_the_call(kind: str, tmp_path: Path) -> None:
    with debuggee(script_of(kind, tmp_path)) as training:
        stops = [stop for stop in training.stops() if stop.effects is not None and strange(stop.effects.named)]
    assert len(stops) == 3
    for stop in stops:
        assert stop.effects is not None
        assert strange(stop.effects.named) == {("average.weight", True, False), ("torch random", True, False)}
        words = sentence(stop)
        assert words.count("average.weight") == 1
        assert "; before that, the script changed average.weight" in words


@pytest.mark.parametrize("kind", KINDS)
def test_generators_are_told_of_so_where_looking_once_more_takes_too_long(kind: str, tmp_path: Path) -> None:
    path = Path(script_of(kind, tmp_path))
    path.write_text("import stepdbg.tracer.effects.returns as returns\nreturns.SLOW_NS = -1\n" + path.read_text())
    with debuggee(str(path), trace=m.Tracing(updates=None, effects=True)) as training:
        for _ in training.stops():
            pass
        training.end()
    drawn = [
        (line.boundary.done, one.before, one.after)
        for line in training.traced
        for one in line.effects or ()
        if one.object == "torch random"
    ]
    assert drawn == [(KINDS[kind][1], True, False)] * 3


def test_what_draws_after_a_step_is_told_of_so_where_looking_once_more_takes_too_long(tmp_path: Path) -> None:
    script = """
        import stepdbg.tracer.effects.returns as returns
        returns.SLOW_NS = -1
        import torch
        from torch import nn
        net = nn.Linear(3, 1)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for i in range(3):
            opt.zero_grad()
            net(torch.ones(2, 3)).mean().backward()
            opt.step()
            torch.rand(3)
        """
    with debuggee(write(tmp_path, script)) as training:
        stops = list(training.stops())
    drawn = [
        (stop.boundary.done, one.before, one.after)
        for stop in stops
        for one in (stop.effects.named if stop.effects is not None else ())
        if one.object == "torch random"
    ]
    assert drawn == [("step", False, True)] * 3
