"""Runs at the start of every Python process of a session: says that it was born, and waits for torch.

Standard library only, and little of it, since it delays the user's program. It takes its own folder off `sys.path`
again, installs the tracer once torch has been imported, and runs the `sitecustomize` that it shadows. Nothing that goes
wrong here may harm the program: it then runs undebugged, and the hub is told why.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_SESSION = os.environ.get("STEPDBG_SESSION")
_HERE = os.path.dirname(os.path.abspath(__file__))


class _Line:
    """The connection to the hub, on which a line of JSON is said at a time until the tracer takes it over."""

    def __init__(self, folder: str) -> None:
        import socket

        self.folder = folder
        self.socket: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(os.path.join(folder, "rank.sock"))
        except OSError:
            self.close()

    def say(self, **what: object) -> None:
        if self.socket is None:
            return
        import json

        try:
            self.socket.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            self.close()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class _TorchWaiter:
    """A finder that lets torch be found as ever, and acts when its module has been executed.

    It stays in place until then: `find_spec("torch")` alone, which some libraries call to see whether torch is there,
    does not use it up.
    """

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.busy = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "torch" or self.busy:
            return None
        import importlib.util

        self.busy = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.busy = False
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            self._wrap(spec.loader)
        return spec

    def _wrap(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            import time

            self.line.say(importing="torch")
            began = time.perf_counter()
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self.line.say(imported="torch", seconds=round(time.perf_counter() - began, 3))
                _install(self.line)
            loader.__dict__.pop("exec_module", None)

        loader.exec_module = exec_module


def _install(line: _Line) -> None:
    """Put the tracer in; on failure the program goes on undebugged."""
    if line.socket is None:
        return
    try:
        from stepdbg.tracer.install import install
    except Exception as error:
        line.say(
            failed=f"stepdbg cannot be imported in {sys.executable} ({error}); "
            f"install it there: {sys.executable} -m pip install stepdbg"
        )
        line.close()
        return
    try:
        install(line.socket, line.folder)
    except Exception as error:
        line.say(failed=f"stepdbg could not start in {sys.executable}: {type(error).__name__}: {error}")
        line.close()


def _begin() -> None:
    line = _Line(str(_SESSION))
    if line.socket is None:
        return
    os.register_at_fork(after_in_child=line.close)
    line.say(
        born={
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "python": sys.version.split()[0],
            "executable": sys.executable,
            "argv": list(getattr(sys, "orig_argv", sys.argv)),
            "cwd": os.getcwd(),
            "version": 1,
            "stack_signal": _stack_signal(),
        }
    )
    if "torch" in sys.modules:
        _install(line)
    else:
        sys.meta_path.insert(0, _TorchWaiter(line))


def _stack_signal() -> int | None:
    """Have a signal that nobody uses write every thread's stack to stderr: for “where does it hang?”."""
    import faulthandler
    import signal

    number = getattr(signal, "SIGRTMAX", 0) - 3 if hasattr(signal, "SIGRTMAX") else getattr(signal, "SIGINFO", 0)
    if not number or signal.getsignal(number) is not signal.SIG_DFL:
        return None
    faulthandler.register(number, all_threads=True)
    return int(number)


def _run_shadowed() -> None:
    """Run the `sitecustomize` that would have run without us, in our place."""
    import importlib.util

    ours = sys.modules.pop("sitecustomize", None)
    spec = importlib.util.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        if ours is not None:
            sys.modules["sitecustomize"] = ours
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
if _SESSION:
    try:
        _begin()
    except Exception as _error:
        del _error
_run_shadowed()
