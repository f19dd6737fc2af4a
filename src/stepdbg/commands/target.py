"""From the words of TARGET to the command that runs, and whether it can run at all."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from stepdbg.commands.interpreter import check_interpreter, find_interpreter
from stepdbg.errors import UsageError
from stepdbg.listing.nearest import brief, did_you_mean

_GENERATOR = r"(?P<file>.+\.py):(?P<name>[^/:]*)\Z"
COMMANDS = ("run", "trace", "check", "ls", "attach", "stop")
"""Of stepdbg itself: what looks like one may be meant."""
_EXECUTABLE = (b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xbe\xba\xfe\xca")
"""What a file begins with that the system can execute: a line that names an interpreter, ELF, Mach-O."""


class Target(Struct, frozen=True):
    """A command that can be run."""

    argv: tuple[str, ...]
    script: str
    """The short name for people: `mnist.py`."""

    @property
    def is_script(self) -> bool:
        """Whether it is one Python file, which holds all that it names."""
        return any(word.endswith(".py") for word in self.argv[1:4]) and "python" in Path(self.argv[0]).name

    @property
    def files(self) -> tuple[str, ...]:
        """The words of the command that are files, the program itself among them."""
        return tuple(word for word in self.argv if os.path.isfile(word))

    @property
    def identity(self) -> str:
        """What tells it from other targets, whatever its arguments: a script's path, a module in its folder."""
        words = self.argv[1:]
        if words[:1] == ("-m",) and words[1:2] != ("stepdbg.tracer.drive",):
            return f"{os.getcwd()} -m {words[1]}"
        script = next((word for word in words if word.endswith(".py") and os.path.isfile(word)), None)
        if script is not None:
            return os.path.realpath(script)
        import shlex  # rarely needed, and read before the first paint

        return shlex.join((os.getcwd(), *self.argv))


def find_target(words: Sequence[str], python: str | None = None) -> Target:
    """The command for TARGET, with everything checked that can be checked before it runs.

    Args:
        words: TARGET and its own arguments.
        python: the interpreter of `--python`; None for our own.

    Raises:
        UsageError: it cannot run.
    """
    interpreter = find_interpreter(python)
    first, *rest = words
    if first == "-m":
        if not rest:
            raise UsageError("-m needs the name of a module")
        check_interpreter(interpreter, module=rest[0])
        return Target((interpreter, "-m", *rest), rest[0])
    if match := re.match(_GENERATOR, first):
        file = match["file"]
        _check_file(interpreter, file)
        _check_generator(file, match["name"])
        return Target((interpreter, "-m", "stepdbg.tracer.drive", file, match["name"], *rest), Path(file).name)
    path = Path(first)
    if path.suffix in (".py", ".ipynb") or (os.path.exists(first) and not _is_program(path)):
        _check_file(interpreter, first)
        return Target((interpreter, first, *rest), path.name)
    if shutil.which(first) is None:
        raise UsageError(_not_there("script or command", first, (*COMMANDS, *_beside(first))))
    return Target(tuple(words), path.name)


def _check_file(interpreter: str, file: str) -> None:
    """That a file, or a folder, is something that Python can run.

    Raises:
        UsageError: it is not; says what to do.
    """
    path = Path(file)
    if not os.path.exists(file):
        raise UsageError(_not_there("script", file, _beside(file)))
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            raise UsageError(f"{file} is a folder without a __main__.py; name a script in it, or a module with -m")
        check_interpreter(interpreter)
        return
    if path.suffix == ".ipynb":
        name = path.with_suffix("").name
        raise UsageError(
            f"{file} is a notebook; make a script of it with `jupyter nbconvert --to script {file}`, "
            f"then run `stepdbg {path.with_name(name)}.py`"
        )
    if not os.access(path, os.R_OK):
        raise UsageError(f"the script {file} cannot be read; change its permissions")
    with path.open("rb") as opened:
        binary = b"\0" in opened.read(4096)
    if not binary:
        check_interpreter(interpreter, script=file)
    elif _is_application(path):
        check_interpreter(interpreter)
    else:
        raise UsageError(
            f"{file} holds binary data: it is no program and no Python script; name the script that trains"
        )


def _not_there(what: str, word: str, names: Iterable[str]) -> str:
    like = did_you_mean(word, names)
    try:
        os.stat(word)
    except PermissionError:
        like = "; a folder on the way to it is closed to you"
    except (OSError, ValueError):
        pass
    return f"there is no {what} {brief(word)}{like or f'; is the path right from {_here()}?'}"


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "here (this folder is gone)"


def _beside(file: str) -> list[str]:
    """What could be meant by a file's name, in its folder, written as the user would: programs, scripts, folders."""
    folder = os.path.dirname(file)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries if entry.name.endswith((".py", ".sh")) or entry.is_dir()]
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if not name.startswith((".", "__"))]


def _is_application(path: Path) -> bool:
    """Whether it is a zip file that Python runs."""
    import zipfile  # rarely needed, and read before the first paint

    try:
        with zipfile.ZipFile(path) as archive:
            return "__main__.py" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _is_program(path: Path) -> bool:
    """Whether the system can execute that file by itself: it is machine code, or names its interpreter."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as opened:
            return opened.read(4).startswith(_EXECUTABLE)
    except OSError:  # it may be executed and not read
        return True


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
