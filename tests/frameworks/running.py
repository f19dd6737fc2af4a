"""A script on a framework: bare, free-running with no screen, and stepped boundary by boundary through the protocol."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from harness import warm
from harness.place import STEPDBG, Place
from tracer.bare_hub import bare, debuggee

from stepdbg.protocol import messages as m

SCRIPTS = Path(__file__).parent / "scripts"
COLD = ("hf_trainer.py", "lightning_fit.py")
"""Scripts that are run once in a Python which has imported nothing."""


def needs(*packages: str) -> None:
    """Skip, and say why, where the optional dependency group is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; pip install -c constraints.txt -e '.[frameworks]'")


class Outcome(NamedTuple):
    """What the user sees of a run."""

    status: int
    stdout: str
    stderr: str


def script(name: str) -> str:
    """The path of a script of this folder."""
    return str(SCRIPTS / name)


def outcome(done: subprocess.CompletedProcess[str]) -> Outcome:
    """What a command came to."""
    return Outcome(done.returncode, done.stdout, done.stderr)


class Runs(NamedTuple):
    """One script, four ways."""

    bare: Outcome
    free: Outcome
    traced: Outcome
    stepped: Outcome
    boundaries: list[Any]
    """Of the trace."""
    stops: list[m.Stop]
    names: set[str]
    """Of all objects and optimizers that were listed on the way."""


def run(place: Place, name: str, file: Path) -> Runs:
    """Run that script bare, free, traced to `file`, and stepped boundary by boundary.

    Where torch is imported first is part of what is tried for the two that people use most; the others begin warm.
    """
    found = Outcome(*bare(script(name)))
    assert found.status == 0, found.stderr
    assert "digest " in found.stdout
    start = () if name in COLD else warm.option()
    free = outcome(place.run(STEPDBG, "run", "--headless", *start, script(name), seconds=120))
    traced = outcome(place.run(STEPDBG, "trace", *warm.option(), "-o", file, script(name), seconds=120))
    stops, names, stepped = step_through(name)
    return Runs(found, free, traced, stepped, read_trace(file), stops, names)


def read_trace(file: Path) -> list[Any]:
    """The boundaries of a trace."""
    with file.open() as lines:
        return [json.loads(line, object_hook=lambda fields: SimpleNamespace(**fields)) for line in lines]


def step_through(name: str) -> tuple[list[m.Stop], set[str], Outcome]:
    """The stops at every boundary, the names of all objects listed on the way, and how it ended."""
    names: set[str] = set()
    stops: list[m.Stop] = []
    with debuggee(script(name)) as training:
        for stop in training.stops():
            stops.append(stop)
            names |= {row.name for row in training.ask(m.ListObjects()).rows if row.node not in ("module", "group")}
            names |= {optimizer.name for optimizer in training.ask(m.ListOptimizers()).optimizers}
        ended = Outcome(*training.end())
        assert not training.notices
    return stops, names, ended


def phases(boundaries: list[Any]) -> list[str]:
    """The phases of each update, a line per update: `zero_grad forward loss …`; nested ones as `step/forward`."""
    updates: dict[int, list[str]] = {}
    for boundary in boundaries:
        line = updates.setdefault(boundary.update, [])
        if boundary.done is not None:
            line.append("/".join((*boundary.inside, boundary.done)))
    return [" ".join(line) for line in updates.values() if line]


def effects(stops: list[m.Stop]) -> set[str]:
    """The names of all that was affected."""
    return {effect.object for stop in stops if stop.effects for effect in stop.effects.named}
