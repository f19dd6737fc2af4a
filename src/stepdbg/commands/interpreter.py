"""Whether an interpreter can run a target: it has stepdbg and a torch that is new enough, and takes the script.

torch is not imported for that, which would take seconds: its version stands in a file of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

from msgspec import Struct

from stepdbg.errors import UsageError
from stepdbg.listing.nearest import did_you_mean

OLDEST_TORCH = (2, 4)
PROBE_SECONDS = 60.0
_PROBE = """\
import importlib.util, json, sys
file, module = sys.argv[1:]
torch = importlib.util.find_spec("torch")
found = {"torch": torch is not None, "origin": getattr(torch, "origin", None)}
found["stepdbg"] = importlib.util.find_spec("stepdbg") is not None
found["module"] = not module or importlib.util.find_spec(module) is not None
try:
    if file:
        import warnings
        warnings.simplefilter("ignore")
        compile(open(file, "rb").read(), file, "exec")
except (SyntaxError, ValueError) as error:
    found["syntax"] = [getattr(error, "lineno", None), getattr(error, "msg", str(error))]
print(json.dumps(found))
"""


class _Findings(Struct, frozen=True):
    stepdbg: bool
    torch: bool
    torch_origin: str | None
    """The file of its package."""
    module: bool
    syntax: tuple[int | None, str] | None
    """Line and message of the script's first error."""


def find_interpreter(python: str | None) -> str:
    """The interpreter of `--python`, or our own.

    Raises:
        UsageError: there is none of that name.
    """
    if python is None:
        return sys.executable
    found = shutil.which(os.path.expanduser(python))
    if found is None:
        raise UsageError(f"--python {python}: there is no such interpreter")
    return found


def check_interpreter(interpreter: str, *, script: str | None = None, module: str | None = None) -> None:
    """That the interpreter can run the script, or the module, under stepdbg.

    Raises:
        UsageError: it cannot; says what to install or to mend.
    """
    package = (module or "").partition(".")[0]  # to look for more would run the package
    if interpreter == sys.executable:
        found = _look_here(script, package)
    else:
        found = _probe(interpreter, script, package)
    if found.syntax is not None:
        line, message = found.syntax
        raise UsageError(f"{script}:{line}: {message}; the script is not valid Python, mend that line")
    if not found.stepdbg:
        raise UsageError(
            f"stepdbg cannot be imported in {interpreter}; install it there: {interpreter} -m pip install stepdbg"
        )
    if not found.torch:
        raise UsageError(f"there is no torch in {interpreter}; install it there, or name another with --python")
    version = _torch_version(found.torch_origin)
    if version is not None and version < OLDEST_TORCH:
        raise UsageError(
            f"torch {version[0]}.{version[1]} in {interpreter} is too old: stepdbg needs "
            f"{OLDEST_TORCH[0]}.{OLDEST_TORCH[1]} or newer; upgrade it there, or name another with --python"
        )
    if not found.module:
        like = did_you_mean(package, (path.stem for path in Path.cwd().iterdir() if path.suffix in ("", ".py")))
        raise UsageError(
            f"there is no module {module} in {interpreter} or in {Path.cwd()}{like or '; is its name right?'}"
        )


def _look_here(script: str | None, package: str) -> _Findings:
    torch = importlib.util.find_spec("torch")
    return _Findings(
        stepdbg=True,
        torch=torch is not None,
        torch_origin=torch.origin if torch is not None else None,
        module=not package or _finds(package),
        syntax=_syntax_error(script),
    )


def _finds(package: str) -> bool:
    """Whether `python -m` would find it, which looks in the current folder first."""
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it is loaded and has no spec
        return True
    finally:
        sys.path.pop(0)


def _probe(interpreter: str, script: str | None, package: str) -> _Findings:
    import json  # this one and the next are rarely needed, and read before the first paint
    import subprocess

    command = [interpreter, "-c", _PROBE, script or "", package]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL)
        found = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--python {interpreter} does not run Python code; name a Python interpreter") from error
    syntax = found.get("syntax")
    return _Findings(
        stepdbg=found["stepdbg"],
        torch=found["torch"],
        torch_origin=found["origin"],
        module=found["module"],
        syntax=(syntax[0], syntax[1]) if syntax else None,
    )


def _syntax_error(script: str | None) -> tuple[int | None, str] | None:
    if script is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(Path(script).read_bytes(), script, "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno, error.msg
    except ValueError as error:
        return 1, str(error)
    except (RecursionError, MemoryError):
        return 1, "it is nested too deeply"
    return None


def _torch_version(origin: str | None) -> tuple[int, int] | None:
    """Major and minor of the torch whose package is that file; None where it does not say."""
    if origin is None:
        return None
    try:
        text = Path(origin).with_name("version.py").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r"^__version__\s*(?::\s*\w+\s*)?=\s*['\"](\d+)\.(\d+)", text, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else None
