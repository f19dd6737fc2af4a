"""The variables of a running function are read and written without a trace, in each Python that there is here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness.interpreters import interpreter

from stepdbg.tracer.introspect import live_variables

PROGRAM = """
import importlib.util, sys, types, weakref
spec = importlib.util.spec_from_file_location("live_variables", sys.argv[1])
live = importlib.util.module_from_spec(spec); spec.loader.exec_module(live)
here = lambda depth=0: sys._getframe(depth + 1)

def everything(a, b, *args, k=1, **kw):
    c = 3
    never: int
    def inner(q):
        nonlocal b
        b = c + a
        return live.read(here()), live.read(here(1))
    kept = locals(); names = set(kept)
    later = 7
    mine, theirs = inner(9)
    assert mine == {"q": 9, "c": 3, "a": 1, "b": 4}, mine
    assert (theirs["a"], theirs["b"], theirs["later"], theirs["args"], theirs["kw"]) == (1, 4, 7, (8,), {"w": 2})
    assert "never" not in theirs and "mine" not in theirs
    live.assign(here(), "later", 70); live.assign(here(), "c", 30)
    assert (later, c) == (70, 30)
    assert set(kept) == names and kept["c"] == 3, "what locals() returned is as it was"
    del later
    assert "later" not in live.read(here())
everything(1, 2, 8, w=2)

class Held: pass
def lets_go():
    held, other = Held(), 1
    gone = weakref.ref(held)
    live.read(here()); live.assign(here(), "other", 2)
    del held
    assert gone() is None and other == 2
lets_go()

def steps():
    first = 1; yield
    second = 2; yield
generator = steps()
assert live.read(generator.gi_frame) == {}
next(generator); assert live.read(generator.gi_frame) == {"first": 1}

def fails(e): raise ValueError
try: fails(3)
except ValueError as error: frame = error.__traceback__.tb_next.tb_frame
assert live.read(frame) == {"e": 3}
frame.clear(); assert live.read(frame) == {}

def holds(cell):
    used = lambda: cell
    assert live.find(here(), "cell", None) is live.read(here())["cell"]
    return live.read(here())["cell"]
cell = types.CellType(4)
assert holds(cell) is cell

def one(argument):
    inner = lambda: argument
    if not argument: later = 1
    assert (live.find(here(), "argument", 7), live.find(here(), "later", 7), live.find(here(), "none", 7)) == (3, 7, 7)
    assert live.find(here(), "inner", 7) is inner
    del inner
    assert live.find(here(), "inner", 7) == 7
one(3)
print("ok")
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_variables_are_read_without_touching_what_locals_returned(version: str) -> None:
    python = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    module = Path(live_variables.__file__)
    done = subprocess.run([python, "-S", "-c", PROGRAM, module], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("ok\n", "")
