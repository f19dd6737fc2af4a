"""`python -m stepdbg.tracer.drive script.py train`: drive a generator function that knows nothing of stepdbg.

The file is imported as a module, with its folder on `sys.path`, so that its `__main__` part does not run.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from types import TracebackType

from stepdbg.api import Loop
from stepdbg.errors import LoopError
from stepdbg.printable import printable


def main() -> int:
    """Run the loop.

    Returns:
        0, or 2 with one line on stderr where there is no such loop.
    """
    path, name, *arguments = sys.argv[1:]
    _hide_our_frames(path)
    sys.argv = [path, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        return _refuse(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if isinstance(function, Loop):
        return _run(function)
    if not inspect.isgeneratorfunction(function):
        return _refuse(f"{path} has no generator function {name!r}; write one that yields the names of its phases")
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        return _refuse(f"{name} needs {', '.join(needed)}; give every argument a default to drive it from outside")
    return _run(Loop(function))


def _run(loop: Loop[...]) -> int:
    try:
        loop()
    except LoopError as error:
        return _refuse(str(error))
    return 0


def _hide_our_frames(path: str) -> None:
    """An uncaught exception is shown from the user's file on, also where no torch has brought in the tracer."""
    earlier = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        while traceback is not None and traceback.tb_frame.f_code.co_filename != path:
            traceback = traceback.tb_next
        earlier(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = excepthook


def _refuse(problem: str) -> int:
    print(f"stepdbg: {printable(str(problem))}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
