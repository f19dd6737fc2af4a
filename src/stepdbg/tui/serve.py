"""`python -m stepdbg.tui.serve`: the app on a fake debuggee under a real hub, with no torch, for work on the screen.

Under Textual's development mode (`textual console` in another terminal, `TEXTUAL=devtools,debug` here) it prints what
it is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stepdbg.hub.launch import Launch, start_hub


def main() -> int:
    """Start a session of the fake debuggee, and open the screen on it."""
    argv = (sys.executable, "-m", "stepdbg.testing", *sys.argv[1:])
    folder: Path = start_hub(Launch(argv, "fake.py", os.getcwd()))
    from stepdbg.tui.run_app import run_app

    return run_app(folder, ascii_only=bool(os.environ.get("STEPDBG_ASCII")))


if __name__ == "__main__":
    sys.exit(main())
