"""An exception that is raised between two calls of torch's: where Python tells of it (3.12 and later) a stop before
anything is torn down; elsewhere a stop at the end, which says what has run meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.interpreters import interpreter
from tracer.bare_hub import bare, debuggee, write
from tracer.test_fate import MAY_BE_CAUGHT, PASSES

import stepdbg
from stepdbg.protocol import messages as m
from stepdbg.tui.words.sentence import sentence

IS_TOLD = sys.version_info >= (3, 12)
VERSIONS = ("3.12", "3.13")
ANSWERS = {
    "the end of what is iterated over": "class Rows:\n    def __getitem__(self, i):\n"
    "        if i: raise IndexError(i)\nlist(Rows())",
    "no such attribute": "class Odd:\n    def __getattr__(self, name): raise AttributeError(name)\n"
    "getattr(Odd(), 'x', 1)",
    "a destructor": "class Odd:\n    def __del__(self): raise ValueError\nOdd()",
    "the last item": "def f():\n    yield 1\nnext(one := f())\nnext(one, None)",
}
RUN = {
    "": False,
    "for one in range(3):\n    {T}": False,
    "[{T} for one in range(3)]": False,
    "def f():\n    {T}\n    yield\nlist(f())": False,
    "try:\n    {T}\nexcept KeyError:\n    pass": False,
    "try:\n    {T}\nexcept (KeyError, OSError):\n    pass": False,
    "try:\n    {T}\nfinally:\n    x = 1": True,
    "try:\n    {T}\nexcept KeyError:\n    pass\nfinally:\n    print()": True,
    "try:\n    {T}\nexcept ValueError:\n    raise": True,
    "try:\n    {T}\nexcept Exception as error:\n    if x: raise": True,
    "with open('/dev/null'):\n    {T}": True,
    "try:\n    try:\n        {T}\n    except KeyError:\n        pass\nfinally:\n    print()": True,
}
START = """
import json, sys, threading, types, contextlib
folder, cases = json.load(sys.stdin)
for name in ("", ".tracer", ".tracer.introspect", ".tracer.unwinding"):  # what they import besides is not here
    package = sys.modules["stepdbg" + name] = types.ModuleType("stepdbg" + name)
    package.__path__ = [folder + name.replace(".", "/")]
import builtins
builtins.exit = getattr(builtins, "exit", None) or (lambda status: sys.exit(status))
from stepdbg.tracer.unwinding.fate import catcher, torn_down
"""
STOPS = (
    START
    + """
from stepdbg.tracer.unwinding.raising import is_an_answer, raise_watch
NO_FAILURES = (StopIteration, GeneratorExit, SystemExit)

class Metaclass(type):
    def __subclasscheck__(cls, other): return True
class Odd(Exception, metaclass=Metaclass): pass
class Quiet:
    def __enter__(self): pass
    def __exit__(self, kind, error, traceback):
        if kind: ran.append("exit")
    @property
    def missing(self): see(AttributeError); return 1
class IfNone(Quiet):
    def __exit__(self, kind, error, traceback): return kind is None
class Asked(Quiet):
    def __exit__(self, *_): return bool(ran)
@contextlib.contextmanager
def guarded():
    try:
        with open("/dev/null"): yield
    finally:
        ran.append("finally")
@contextlib.contextmanager
def swallowing():
    try: yield
    except RuntimeError: ran.append("swallowed")
exec(compile("def see(kind=RuntimeError):\\n    raise kind('no')", "/tmp/case.py", "exec"))

def raised(error, frame, again):
    if id(error) not in stopped and not isinstance(error, NO_FAILURES) and not is_an_answer(error, frame):
        if catcher(error, frame) is None:
            stopped.append(id(error))
            ran_before.append(len(ran))

watch = raise_watch(raised, lambda file: 'user' if file == '/tmp/case.py' else 'library')
told = []
for text in cases:
    stopped, ran_before, ran, kept = [], [], [], []
    threading.excepthook = lambda given: kept.append(given.exc_value)
    known = {**globals()}
    thread = threading.Thread(target=exec, args=(compile(text, "/tmp/case.py", "exec"), known))
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        watch.begin()
        thread.start()
        thread.join()
        watch.let_go()
    told.append([bool(stopped), bool(kept), ran_before])
assert not any(sys.monitoring.get_tool(number) for number in range(6))
print(json.dumps(told))
"""
)
LEFT = (
    START
    + """
told = []
for text in cases:
    x = 1
    try:
        exec(compile(text.replace("{T}", "1 + int('x')") or "int('x')", "/tmp/case.py", "exec"))
    except ValueError as error:
        told.append(bool([one for one in torn_down(error, error.__traceback__) if one[0] == "/tmp/case.py"]))
print(json.dumps(told))
"""
)
TRAINING = """
import torch
from torch import nn
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)

def check(number, loss):
    try:
        {}[number]
    except KeyError:
        pass
    hasattr(net, "nothing")
    assert number < 3

def train():
    for number in range(6):
        optimizer.zero_grad()
        loss = LOSS
        loss.backward()
        optimizer.step()
        CHECK

try:
    train()
finally:
    net = None
    print("torn down")
"""
FAILS = {
    "an assertion after the step": ("net(torch.ones(6, 4)).square().mean()", "check(number, loss)"),
    "in the loss": ("nn.functional.cross_entropy(net(torch.ones(6, 4)), torch.ones(5 + (number < 3)).long() * 0)", ""),
    "a clause that raises it again on a condition": (
        "net(torch.ones(6, 4)).square().mean()",
        "\n        try: check(number, loss)\n        except AssertionError as error:\n            if number > 3: raise",
    ),
}


def by(version: str, program: str, texts: list[str]) -> list[Any]:
    python = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    assert stepdbg.__file__ is not None
    given = json.dumps([str(Path(stepdbg.__file__).parent), texts])
    done = subprocess.run([python, "-c", program], input=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("version", VERSIONS)
def test_where_nothing_catches_what_a_line_raises_it_is_told_before_anything_else_has_run(version: str) -> None:
    texts = {**PASSES, **MAY_BE_CAUGHT, **ANSWERS}
    del texts["another try without an end"]  # (it has none)
    told = dict(zip(texts, by(version, STOPS, list(texts.values())), strict=True))
    assert {name for name, (stops, ends, _) in told.items() if stops and not ends} == set(), (
        "no stop for what is caught"
    )
    late = {name for name in PASSES if not told[name][0]} - {"a clause that ends the script, below one of Exception"}
    assert {name for name in late if told[name][1]} == set()
    assert {name: told[name][2] for name in PASSES if told[name][0] and told[name][2][0]} == {}
    assert told["a clause that raises it again on a condition"][:2] == [True, True]


@pytest.mark.parametrize("version", ["3.11", *VERSIONS])
def test_what_has_run_for_an_exception_on_its_way_is_read_from_the_bytecode(version: str) -> None:
    assert dict(zip(RUN, by(version, LEFT, list(RUN)), strict=True)) == RUN


@pytest.mark.parametrize("fails", FAILS)
def test_it_is_a_stop_with_all_in_place_or_one_that_says_what_is_gone(fails: str, tmp_path: Path) -> None:
    loss, check = FAILS[fails]
    script = write(tmp_path, TRAINING.replace("LOSS", loss).replace("CHECK", check))
    with debuggee(script, go="continue") as training:
        stop = training.stop()
        assert stop is not None
        assert stop.reason == "exception"
        mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
        net = training.ask(m.Evaluate(mine, "repr(net)")).value
        said = sentence(stop)
        assert ("None" not in net) == IS_TOLD, net
        assert ("has run already" in said) != IS_TOLD, said
        assert ": ;" not in said
        assert stop.frames[mine].function in ("check", "train")
        assert [one.reason for one in training.stops_from(training.go("continue"), "continue")] == []
        assert training.end() == bare(script)
        assert training.notices == []
