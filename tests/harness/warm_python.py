"""An interpreter for `--python`: a script runs in a fork of a Python that has imported torch, all else in a new one.

`warm.interpreter` writes a program that runs this file, with two arguments before its own: where the real interpreter
is, and whom to ask for a fork. It hands its own streams on, passes on the signals that it gets, and ends as the script
has ended.
"""

import json
import os
import signal
import socket
import sys

_, python, address, *arguments = sys.argv
if arguments[0].startswith("-"):
    os.execv(python, [python, *arguments])
told, reply = socket.socketpair()
request = {"cwd": os.getcwd(), "environment": dict(os.environ), "arguments": arguments}
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect(address)
    socket.send_fds(door, [json.dumps(request).encode()], [0, 1, 2, reply.fileno()])
reply.close()
lines = told.makefile("rb")
pid = int(lines.readline())
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, _: os.kill(pid, number))
for stream in (0, 1, 2):
    os.close(stream)
ended = os.waitstatus_to_exitcode(int(lines.readline()))
if ended < 0:
    if -ended != signal.SIGKILL:
        signal.signal(-ended, signal.SIG_DFL)
    os.kill(os.getpid(), -ended)
os._exit(ended)
