"""From the words of TARGET to the command that runs, and whether it can run at all."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdbg.errors import UsageError

_GENERATOR = re.compile(r"(?P<file>.+\.py):(?P<name>[^/:]*)\Z")
PROBE_SECONDS = 60.0
_PROBE = """\
import importlib.util, json, sys
found = {name: importlib.util.find_spec(name) is not None for name in ("torch", "stepdbg")}
found["version"] = list(sys.version_info[:2])
try:
    if len(sys.argv) > 1:
        import warnings
        warnings.simplefilter("ignore")
        compile(open(sys.argv[1], "rb").read(), sys.argv[1], "exec")
except (SyntaxError, ValueError) as error:
    found["syntax"] = [getattr(error, "lineno", None), getattr(error, "msg", str(error))]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Target:
    """A command that can be run."""

    argv: tuple[str, ...]
    script: str
    """The short name for people: `mnist.py`."""

    @property
    def files(self) -> tuple[str, ...]:
        """The words of the command that are files, the program itself among them."""
        return tuple(word for word in self.argv if os.path.isfile(word))


def find_target(words: Sequence[str], python: str | None = None) -> Target:
    """The command for TARGET, with everything checked that can be checked before it runs.

    Args:
        words: TARGET and its own arguments.
        python: the interpreter of `--python`; None for our own.

    Raises:
        UsageError: it cannot run.
    """
    interpreter = _interpreter(python)
    first, *rest = words
    if first == "-m":
        if not rest:
            raise UsageError("-m needs the name of a module")
        _check_python(interpreter, None)
        return Target((interpreter, "-m", *rest), rest[0])
    if match := _GENERATOR.match(first):
        file = match["file"]
        _check_script(interpreter, file)
        _check_generator(file, match["name"])
        return Target((interpreter, "-m", "stepdbg.tracer.drive", file, match["name"], *rest), Path(file).name)
    path = Path(first)
    if path.suffix == ".py" or (path.is_file() and not os.access(path, os.X_OK)):
        _check_script(interpreter, first)
        return Target((interpreter, first, *rest), path.name)
    if shutil.which(first) is None:
        raise UsageError(f"there is no script or command {first!r}; is the path right from {Path.cwd()}?")
    return Target(tuple(words), path.name)


def _interpreter(python: str | None) -> str:
    if python is None:
        return sys.executable
    found = shutil.which(os.path.expanduser(python))
    if found is None:
        raise UsageError(f"--python {python}: there is no such interpreter")
    return found


def _check_script(interpreter: str, file: str) -> None:
    path = Path(file)
    if not path.exists():
        raise UsageError(f"there is no script {file}; is the path right from {Path.cwd()}?")
    if path.is_dir():
        _check_python(interpreter, None)
        return
    if not os.access(path, os.R_OK):
        raise UsageError(f"the script {file} cannot be read; change its permissions")
    _check_python(interpreter, file)


def _check_python(interpreter: str, file: str | None) -> None:
    """That the interpreter has torch and stepdbg, and that the script is Python to it."""
    if interpreter == sys.executable:
        has_torch, has_stepdbg, syntax = importlib.util.find_spec("torch") is not None, True, _syntax_error(file)
    else:
        has_torch, has_stepdbg, syntax = _probe(interpreter, file)
    if syntax is not None:
        line, message = syntax
        raise UsageError(f"{file}:{line}: {message}; the script is not valid Python, mend that line")
    if not has_stepdbg:
        raise UsageError(
            f"stepdbg cannot be imported in {interpreter}; install it there: {interpreter} -m pip install stepdbg"
        )
    if not has_torch:
        raise UsageError(f"there is no torch in {interpreter}; install it there, or name another with --python")


def _syntax_error(file: str | None) -> tuple[int | None, str] | None:
    if file is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno, error.msg
    except ValueError as error:
        return 1, str(error)
    return None


def _probe(interpreter: str, file: str | None) -> tuple[bool, bool, tuple[int | None, str] | None]:
    command = [interpreter, "-c", _PROBE, *([file] if file else [])]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL)
        found = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--python {interpreter} does not run Python code; name a Python interpreter") from error
    syntax = found.get("syntax")
    return found["torch"], found["stepdbg"], (syntax[0], syntax[1]) if syntax else None


def _check_generator(file: str, name: str) -> None:
    tree = ast.parse(Path(file).read_bytes(), file)
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    generators = [node.name for node in defined if _yields(node)]
    if name in generators or name in _bound_otherwise(tree):
        return
    hint = f"it has {', '.join(generators)}" if generators else "write one that yields the names of its phases"
    raise UsageError(f"{file} has no generator function {name!r}; {hint}")


def _bound_otherwise(tree: ast.Module) -> set[str]:
    """Names that the module imports or assigns at any depth: what those are shows only when it runs."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {part.id for part in node.targets if isinstance(part, ast.Name)}
    return found


def _yields(function: ast.FunctionDef) -> bool:
    """Whether the function itself yields, not one that it defines."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False
