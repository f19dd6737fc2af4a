"""The hub's process: `python -m stepdbg.hub FOLDER DESCRIPTOR`, started by `launch.start_hub`."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from stepdbg.hub.process.server import run_hub
from stepdbg.printable import printable_lines


class PrintableFormatter(logging.Formatter):
    """Logs are read in terminals."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


FEWEST_DESCRIPTORS = 24
"""A hub needs so many."""


def main() -> None:
    """Serve the session that the command line names, on the socket that was inherited."""
    to_log = logging.StreamHandler()
    to_log.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_log])
    try:  # asyncio, short of descriptors, tries again without end
        for one in [os.dup(sys.stdin.fileno()) for _ in range(FEWEST_DESCRIPTORS)]:
            os.close(one)
    except OSError as error:
        sys.exit(f"the hub cannot start: {error.strerror} (see `ulimit -n`)")
    listener = socket.socket(fileno=int(sys.argv[2]))
    listener.set_inheritable(False)
    listener.setblocking(False)
    os.chdir("/")  # pin no folder of the user's
    asyncio.run(run_hub(Path(sys.argv[1]), listener))


if __name__ == "__main__":
    main()
