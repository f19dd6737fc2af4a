"""A Python that has imported torch, and forks itself for each program that it is asked to run (see `warm`).

Its frames lie below those of a program; it is compiled under a name by which they count as the interpreter's own.
What it imports is what torch imports by itself at the first call of an optimizer; and the tracer of stepdbg, which is
not installed, where a second argument says so: for programs of a session, which import it at their first line.

A request is one packet on the socket whose descriptor is the first argument: cwd, environment and arguments as JSON,
with four descriptors: stdin, stdout, stderr, and a socket on which the process id and then the wait status are told.
When the other end of that socket is closed the program is killed; when that of the first is, all of them are.
"""

import atexit
import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import types
import weakref
from multiprocessing import process

import torch._dynamo


def serve(control):
    """Fork at each request. Returns in each fork, with the request, and nowhere else."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting = selectors.DefaultSelector()
    waiting.register(control, selectors.EVENT_READ)
    running = {}  # process id and its socket, by both its descriptors
    while True:
        for key, _ in waiting.select():
            if key.fileobj in running:
                pid, ended, told = running[key.fileobj]
                if key.fileobj == told:
                    os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                with socket.socket(fileno=told) as reply:
                    with contextlib.suppress(OSError):  # nobody waits for it any more
                        reply.send(b"%d\n" % status)
                    for descriptor in (ended, told):
                        waiting.unregister(descriptor)
                        del running[descriptor]
                os.close(ended)
                break  # what else was found ready may be gone
            request, streams, _, _ = socket.recv_fds(control, 1 << 20, 4)
            if not request:
                for pid, _, _ in running.values():
                    os.kill(pid, signal.SIGKILL)
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                waiting.close()
                control.detach()
                signal.signal(signal.SIGINT, interrupted)
                for number, stream in enumerate(streams[:3]):
                    os.dup2(stream, number)
                os.closerange(3, 1024)
                return json.loads(request)
            for stream in streams[:3]:
                os.close(stream)
            entry = (pid, os.pidfd_open(pid), streams[3])
            os.write(streams[3], b"%d\n" % pid)
            for descriptor in entry[1:]:
                running[descriptor] = entry
                waiting.register(descriptor, selectors.EVENT_READ)


def become(cwd, environment, arguments):
    """Make of this process what Python is before it runs the script that `arguments` begins with."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(arguments)
    sys.orig_argv = [sys.executable, *arguments]
    main = types.ModuleType("__main__")
    main.__dict__.update({name: globals()[name] for name in ("__annotations__", "__builtins__") if name in globals()})
    sys.modules["__main__"] = main
    process.ORIGINAL_DIR = cwd
    if "numpy.random" in sys.modules:  # `random` seeds itself anew after a fork
        sys.modules["numpy.random"].seed()
    site = list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    sys.path[:1] = site
    if site:
        sys.modules.pop("sitecustomize", None)
        with contextlib.suppress(ImportError):
            import sitecustomize  # noqa: F401
    sys.path.insert(0, os.path.dirname(os.path.realpath(arguments[0])))


def run(script):
    """Run the file as `python script` does, with the very function of the interpreter that does it then.

    It handles `SystemExit` and prints what is not caught. (An uncaught `KeyboardInterrupt` ends with 1 here, and not by
    the signal.)
    """
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    path = os.fsencode(os.path.abspath(script))
    file = ctypes.c_void_p(libc.fopen(path, b"rb"))
    end(int(ctypes.pythonapi.PyRun_SimpleFileExFlags(file, path, 1, None) != 0))


def end(status):
    """End as Python does once a script is done, but leave modules other than the script as they are.

    To take torch apart costs 0.3 s of CPU, nearly all that a short program takes here. (`sys.exit` in the script itself
    goes that way.)
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    status = flushed(status)
    variables = vars(sys.modules["__main__"])
    for private in (True, False):
        for name in variables:
            if name != "__builtins__" and (not private or (name[:1] == "_" and name[1:2] != "_")):
                variables[name] = None
    gc.collect()
    os._exit(flushed(status))


def flushed(status):
    """The exit status once both streams are written out, which may fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            status = 120
    return status


control = socket.socket(fileno=int(sys.argv[1]))
if sys.argv[2:]:
    import stepdbg.tracer.install  # noqa: F401
torch.default_generator.manual_seed(0)  # in each server the same, for scripts that do not seed it
atexit.unregister(torch._dynamo.utils.dump_compile_times)
for finalizer in [*weakref.finalize._registry]:  # of torch's own libraries of operators
    finalizer.atexit = False
gc.freeze()
request = serve(control)
become(**request)
run(request["arguments"][0])
