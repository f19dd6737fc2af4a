"""In which lines code writes a variable in place, calls a method of it, and where the graph of one was cut: read from
the bytecode of each Python that there is here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness.interpreters import interpreter

from stepdbg.tracer.introspect import variable_uses

PROGRAM = """
def f(h, g, net, torch, crit, x, y):
    h.mul_(2)
    h += 1
    h[0] = 3
    h[0].zero_()
    h.exp().mul_(2)
    g.add_(h)
    h = h + g
    with torch.no_grad():
        out = net(x)
        z = out * 2
    loss = crit(out, y)
    loss.backward()
    kept = net(x)
    other = crit(kept, y).detach()
    third = other + 1
    third.backward()
    fourth = crit(kept, y.detach())
    with open(x) as file, torch.inference_mode():
        fifth = crit(kept, y)
    sixth = crit(x, y).item()
needs = {"kept": True, **dict.fromkeys(["h", "g", "out", "z", "loss", "other", "third", "fifth", "x", "y"], False)}
code = f.__code__
line = code.co_firstlineno
def cut(name):
    found = cut_before(code, 1 << 30, name, needs.get)
    return found and [found.variable, found.line - line, found.how]
import json
print(json.dumps({
    "writes h": [one - line for one in lines_that_write(code, "h")],
    "writes g": [one - line for one in lines_that_write(code, "g")],
    "writes x": [one - line for one in lines_that_write(code, "x")],
    "calls loss.backward": [one - line for one in lines_that_call(code, "loss", "backward")],
    **{name: cut(name) for name in ("loss", "z", "other", "third", "fifth", "sixth", "kept", "x")},
}))
"""
EXPECTED = {
    "writes h": [1, 2, 3, 4],
    "writes g": [6],
    "writes x": [],
    "calls loss.backward": [12],
    "loss": ["out", 9, "under no_grad()"],
    "z": ["out", 9, "under no_grad()"],
    "other": ["other", 14, "by detach()"],
    "third": ["other", 14, "by detach()"],
    "fifth": ["fifth", 19, "under inference_mode()"],
    "sixth": ["sixth", 20, "by item()"],
    "kept": None,
    "x": None,
}


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_what_code_does_with_a_variable_is_read_from_the_bytecode(version: str) -> None:
    python = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    text = Path(variable_uses.__file__).read_text() + PROGRAM
    done = subprocess.run([python, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == EXPECTED
