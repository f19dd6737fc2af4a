"""Whether an exception will be caught on its way out, told before it is: by each Python's own bytecode.

Each piece of code calls `see(kind)`, which asks what would become of an exception of that class raised there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness.interpreters import interpreter

import stepdbg

PASSES = {
    "nothing lies in between": "see()",
    "finally": "try:\n    see()\nfinally:\n    x = 1",
    "a clause of another class": "try:\n    see()\nexcept (KeyError, ValueError):\n    pass",
    "a clause of a subclass, by the name that a module gives it":
        "import socket\ntry:\n    see(OSError)\nexcept socket.timeout:\n    pass",
    "a clause of another class whose metaclass answers for it": "try:\n    see()\nexcept Odd:\n    pass",
    "a clause that raises it again": "try:\n    see()\nexcept BaseException as error:\n    print(error)\n    raise",
    "a clause that raises it again by its name":
        "try:\n    see()\nexcept BaseException as error:\n    print(error)\n    raise error",
    "a bare clause that raises it again": "try:\n    see()\nexcept:\n    print()\n    raise",
    "a clause that cleans up in a loop and raises it again":
        "try:\n    see()\nexcept Exception:\n    for one in range(2):\n        try:\n            print()\n"
        "        except Exception:\n            continue\n    raise",
    "a clause that raises another": "try:\n    see()\nexcept Exception as error:\n    raise ValueError from error",
    "another is raised after the clause":
        "def f():\n    try:\n        see()\n    except RuntimeError as error:\n        last = error\n"
        "    raise ValueError\nf()",
    "a clause that ends the script": "import sys\ntry:\n    see()\nexcept Exception:\n    print()\n    sys.exit(1)",
    "a clause that ends the script, below one of Exception":
        "try:\n    try:\n        see()\n    except RuntimeError:\n        exit(1)\nexcept Exception:\n    pass",
    "a with over a file and a lock":
        "import threading, tempfile\nwith open('/dev/null'), threading.Lock(), tempfile.TemporaryFile():\n    see()",
    "a with that suppresses another class": "import contextlib\nwith contextlib.suppress(KeyError):\n    see()",
    "a generator's with": "with guarded():\n    see()",
    "a decorator that is a with": "@guarded()\ndef f():\n    see()\nf()",
    "a stack of withs":
        "import contextlib\nwith contextlib.ExitStack() as stack:\n    stack.enter_context(open('/dev/null'))\n"
        "    stack.callback(print)\n    stack.enter_context(guarded())\n    see()",
    "a with of one's own that returns nothing": "with Quiet():\n    see()",
    "a with of one's own that is true only without one": "with IfNone():\n    see()",
    "a with, within a clause that raises it again":
        "with open('/dev/null'):\n    try:\n        see()\n    except RuntimeError:\n        raise",
    "in a generator": "def f():\n    for one in range(3):\n        try:\n            see()\n        finally:\n"
        "            print()\n        yield one\nlist(f())",
    "in a comprehension": "[see() for one in range(2)]",
    "an interrupt below a clause of Exception": "try:\n    see(KeyboardInterrupt)\nexcept Exception:\n    pass",
    "an AttributeError of a call": "see(AttributeError)",
    "a variable of a function names the class":
        "def f(kinds):\n    try:\n        see()\n    except kinds:\n        pass\nf((KeyError, OSError))",
}  # fmt: skip
MAY_BE_CAUGHT = {
    "a clause of its class": "try:\n    see()\nexcept RuntimeError:\n    pass",
    "a clause of a base": "try:\n    see()\nexcept (KeyError, Exception) as error:\n    print(error)",
    "a bare clause": "try:\n    see()\nexcept:\n    pass",
    "a clause that raises it again on a condition":
        "try:\n    see()\nexcept RuntimeError as error:\n    if 'memory' not in str(error):\n        raise",
    "another try": "for one in range(3):\n    try:\n        see()\n        break\n    except RuntimeError:\n"
        "        continue",
    "another try without an end": "while True:\n    try:\n        see()\n        break\n    except RuntimeError:\n"
        "        pass",
    "a clause of a class that is computed":
        "def kinds():\n    return KeyError\ntry:\n    see()\nexcept kinds():\n    pass",
    "what a clause raises instead is caught": "try:\n    try:\n        see()\n    except Exception as error:\n"
        "        raise ValueError from error\nexcept ValueError:\n    pass",
    "finally returns": "def f():\n    try:\n        see()\n    finally:\n        return 1\nf()",
    "a with that suppresses it": "import contextlib\nwith contextlib.suppress(RuntimeError):\n    see()",
    "a stack of withs that suppresses it":
        "import contextlib\nwith contextlib.ExitStack() as stack:\n"
        "    stack.enter_context(contextlib.suppress(RuntimeError))\n    stack.enter_context(guarded())\n    see()",
    "a callback of a stack": "import contextlib\nwith contextlib.ExitStack() as stack:\n"
        "    stack.push(lambda *_: True)\n    see()",
    "a generator's with that suppresses it": "with swallowing():\n    see()",
    "a with of one's own that computes what it returns": "with Asked():\n    see()",
    "a with in a clause": "import contextlib\ntry:\n    see()\nexcept RuntimeError:\n"
        "    with contextlib.suppress(RuntimeError):\n        raise",
    "a clause of groups": "try:\n    see()\nexcept* RuntimeError:\n    pass",
    "a property that is asked for": "Quiet().missing",
    "a property that is asked for by name": "hasattr(Quiet(), 'missing')",
    "an interrupt that is caught": "try:\n    see(KeyboardInterrupt)\nexcept KeyboardInterrupt:\n    pass",
    "the end of an iteration": "see(StopIteration)",
    "the end of the script": "see(SystemExit)",
    "a pool of threads":
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(1).submit(see).exception()",
}  # fmt: skip
PROGRAM = """
import contextlib, json, sys, threading, types
folder, cases = json.load(sys.stdin)
for name in ("", ".tracer", ".tracer.introspect", ".tracer.unwinding"):  # what they import besides is not here
    package = sys.modules["stepdbg" + name] = types.ModuleType("stepdbg" + name)
    package.__path__ = [folder + name.replace(".", "/")]
from stepdbg.tracer.unwinding.fate import NO_FAILURES, catcher
import builtins
builtins.exit = getattr(builtins, "exit", None) or (lambda status: sys.exit(status))  # as without -S

class Metaclass(type):
    def __subclasscheck__(cls, other): ran.append("subclass"); return True
    def __instancecheck__(cls, other): ran.append("instance"); return True
class Odd(Exception, metaclass=Metaclass): pass
class Quiet:
    def __enter__(self): pass
    def __exit__(self, kind, error, traceback):
        if kind: print()
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
        print()
@contextlib.contextmanager
def swallowing():
    try: yield
    except RuntimeError: print()

def see(kind=RuntimeError):
    try:
        raise kind("no")
    except BaseException as caught:
        error = caught
    found.append(issubclass(kind, NO_FAILURES) or catcher(error, sys._getframe(1)) is not None)

told = []
for text in cases:
    found, ran = [], []
    known = {**globals()}
    thread = threading.Thread(target=exec, args=(compile(text, "<case>", "exec"), known))
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        thread.start()
        thread.join()
    told.append([sorted(set(found)), ran])
print(json.dumps(told))
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_what_would_become_of_an_exception_is_read_from_the_bytecode(version: str) -> None:
    python = sys.executable if sys.version_info[:2] == tuple(map(int, version.split("."))) else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    assert stepdbg.__file__ is not None
    cases = {**dict.fromkeys(PASSES, False), **dict.fromkeys(MAY_BE_CAUGHT, True)}
    texts = {**PASSES, **MAY_BE_CAUGHT}
    given = json.dumps([str(Path(stepdbg.__file__).parent), list(texts.values())])
    done = subprocess.run([python, "-c", PROGRAM], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = dict(zip(texts, json.loads(done.stdout), strict=True))
    assert {name: found for name, (found, _) in told.items()} == {name: [caught] for name, caught in cases.items()}
    assert [name for name, (_, ran) in told.items() if ran] == []
