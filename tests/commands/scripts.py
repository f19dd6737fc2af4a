"""Training scripts of a few lines, and how a test runs them: bare, free, and traced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.deadline import deadline
from tracer import bare_hub

STEPDBG = [sys.executable, "-m", "stepdbg"]
HEADLESS = [*STEPDBG, "run", "--headless"]
DEMOS = Path(__file__).parents[2] / "demos"
DEADLINE = deadline(100)
"""Seconds that a script may take."""

TRAINING = """\
import descent, sys, torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = descent.Descent(model.parameters(), lr=0.1)
def train(updates):
    for _ in range(updates):
        x = torch.randn(4, 3)
        optimizer.zero_grad()
        y = model(x)
        loss = y.square().mean()
        loss.backward()
        optimizer.step()
"""
"""Five boundaries an update, and one at the end."""
DESCENT = """\
import torch

class Descent(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    def add_param_group(self, group):
        self.param_groups.append({**self.defaults, **group, "params": list(group["params"])})

    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(parameter.grad, alpha=-group["lr"])
        return loss
"""
"""The module `descent`: an optimizer of the user's own. The first call of one of torch's makes torch import half of
itself, 1.4 s; those are for `tests/scripts`.
"""
BACKWARD = """\
import sys, torch
model = torch.nn.Linear(3, 1)
model(torch.ones(4, 3)).sum().backward()
"""
"""Training enough where a test is about something else. With no optimizer."""


def write(folder: Path, text: str, name: str = "train.py") -> Path:
    """A script, and the module that it needs."""
    path = folder / name
    path.write_text(text)
    if "descent" in text:
        (folder / "descent.py").write_text(DESCENT)
    return path


def bare(*command: str | Path, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
    """What `python command` comes to, in a Python that has imported torch already."""
    status, out, err = bare_hub.bare(*map(str, command), cwd=cwd)
    return status, out.encode(), err.encode()


def run(*command: str | Path, cwd: Path | None = None, typed: bytes = b"", **extra: str) -> Any:
    """Exit status, stdout and stderr, as bytes."""
    environment = {**os.environ, **extra}
    words = [str(word) for word in command]
    done = subprocess.run(words, input=typed, capture_output=True, timeout=DEADLINE, cwd=cwd, env=environment)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command with all three streams on pipes, started as from a prompt; it does not outlive the test."""

    def heed_ctrl_c() -> None:  # which a test run in the background of a shell would pass on as ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    started = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, 9)
        started.communicate()


def read(trace: Path) -> list[dict[str, Any]]:
    """The lines of a trace, each of them valid JSON to a strict reader."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in trace.read_text().splitlines()]
