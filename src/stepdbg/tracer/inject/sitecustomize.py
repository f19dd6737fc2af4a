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
    """The connection to the hub: lines of JSON are said on it until the tracer takes it over.

    A script may close descriptors that it does not know, or put others in their place, and go on to open files of its
    own under those numbers. So the socket is told from what else may be there by its device and inode, at each use,
    and nothing else is ever written to, read or closed. Its number is high, for the script's own to be what they are in
    a bare run. No socket object holds it, since that would close the number at its own end, whosever it is by then.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._descriptor = -1
        self._identity = (0, 0)
        self.lost_by_fork = False
        """True in a forked child, whose parent has kept the connection."""
        self.connect()

    def connect(self) -> bool:
        """Connect, or connect anew; whether the hub is there."""
        import _socket  # `socket` may have been patched by the script, and is slow to import

        self.close()
        try:
            fresh = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        except OSError:
            return False
        try:
            fresh.settimeout(None)  # whatever the script's default is
            fresh.connect(os.path.join(self.folder, "rank.sock"))
            self._descriptor = _out_of_the_way(fresh.fileno())
            status = os.fstat(self._descriptor)
            self._identity = status.st_dev, status.st_ino
        except OSError:
            return False
        finally:
            fresh.close()
        return True

    @property
    def connected(self) -> bool:
        """Whether the descriptor still is the socket to the hub."""
        if self._descriptor < 0:
            return False
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            self._descriptor = -1
            return False
        return True

    def send(self, data: bytes) -> None:
        """Hand all of it to the kernel.

        Raises:
            OSError: nobody is there to take it.
        """
        import _socket

        opened = self._open()
        try:
            opened.sendall(data, getattr(_socket, "MSG_NOSIGNAL", 0))  # the script may have SIGPIPE at its default
        finally:
            opened.detach()

    def wait(self) -> None:
        """Wait until there is something to receive, be it that the hub has hung up."""
        import select

        if self.connected:
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLIN)
            waiting.poll()

    def receive(self, *, wait: bool) -> bytes:
        """What has arrived; nothing where the hub has hung up.

        Raises:
            BlockingIOError: nothing has, and it is not to be waited for.
            OSError: the connection is lost.
        """
        import _socket

        opened = self._open()
        try:
            data: bytes = opened.recv(1 << 16, 0 if wait else _socket.MSG_DONTWAIT)
            return data
        finally:
            opened.detach()

    def _open(self) -> Any:
        import _socket

        if not self.connected:
            raise ConnectionError("the connection to the hub was closed in this process")
        opened = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self._descriptor)
        opened.settimeout(None)
        return opened

    def say(self, **what: object) -> None:
        """Say a line, if anybody is there."""
        import json

        try:
            self.send(json.dumps(what).encode() + b"\n")
        except OSError:
            self.close()

    def say_born(self) -> None:
        """Say that this process is there."""
        try:
            cwd = os.getcwd()
        except OSError:  # it has been removed
            cwd = ""
        self.say(
            born={
                "pid": os.getpid(),
                "ppid": os.getppid(),
                "python": sys.version.split()[0],
                "executable": sys.executable,
                "argv": list(getattr(sys, "orig_argv", sys.argv)),
                "cwd": cwd,
                "version": 1,
                "stack_signal": _stack_signal(),
            }
        )

    def forked(self) -> None:
        """Let go of the connection, which in a forked child is the parent's."""
        self.lost_by_fork = self.lost_by_fork or self.connected
        self.close()

    def close(self) -> None:
        """Let go of the socket, if it is still there."""
        if self.connected:
            os.close(self._descriptor)
        self._descriptor = -1


def _out_of_the_way(descriptor: int) -> int:
    """A second descriptor of the same, with a number that the script will not come to by itself."""
    import fcntl

    for lowest in (1000, 500, 240, 120, 56):  # as the limit of this process allows
        try:
            return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue
    return os.dup(descriptor)


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
    if line.lost_by_fork and line.connect():  # of a server that forks: this child has come to import torch
        line.say_born()
    if not line.connected:
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
        install(line, line.folder)
    except Exception as error:
        line.say(failed=f"stepdbg could not start in {sys.executable}: {type(error).__name__}: {error}")
        line.close()


def _begin() -> None:
    line = _Line(str(_SESSION))
    if not line.connected:
        return
    os.register_at_fork(after_in_child=line.forked)
    line.say_born()
    if "torch" in sys.modules:
        _install(line)
    else:
        sys.meta_path.insert(0, _TorchWaiter(line))


_stacks: list[int] = []
"""The signal of `_stack_signal`, where there is one."""


def _stack_signal() -> int | None:
    """Have a signal that nobody uses write every thread's stack to stderr: for “where does it hang?”."""
    import faulthandler
    import signal

    if _stacks:
        return _stacks[0]
    number = getattr(signal, "SIGRTMAX", 0) - 3 if hasattr(signal, "SIGRTMAX") else getattr(signal, "SIGINFO", 0)
    if not number or signal.getsignal(number) is not signal.SIG_DFL:
        return None
    faulthandler.register(number, all_threads=True)
    _stacks.append(int(number))
    return _stacks[0]


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
