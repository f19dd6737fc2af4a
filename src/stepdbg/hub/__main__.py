"""The hub's process: `python -m stepdbg.hub FOLDER DESCRIPTOR`, started by `launch.start_hub`."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from stepdbg.hub.server import run_hub


def main() -> None:
    """Serve the session that the command line names, on the socket that was inherited."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    listener = socket.socket(fileno=int(sys.argv[2]))
    listener.set_inheritable(False)
    listener.setblocking(False)
    os.chdir("/")  # pin no folder of the user's
    asyncio.run(run_hub(Path(sys.argv[1]), listener))


if __name__ == "__main__":
    main()
