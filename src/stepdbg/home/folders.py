"""Where settings and state lie, as the system has it; two environment variables put them elsewhere."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

CONFIG_VARIABLE = "STEPDBG_CONFIG_DIR"
"""Puts the settings elsewhere."""
STATE_VARIABLE = "STEPDBG_STATE_DIR"
"""Puts the state of the scripts elsewhere."""


def config_file() -> Path:
    """The user's settings; on Linux `~/.config/stepdbg/config.toml`. It need not exist."""
    if folder := os.environ.get(CONFIG_VARIABLE):
        return Path(folder) / "config.toml"
    import platformdirs

    return Path(platformdirs.user_config_dir("stepdbg", appauthor=False)) / "config.toml"


def state_folder() -> Path:
    """Where state lies; on Linux `~/.local/state/stepdbg`. It need not exist."""
    if folder := os.environ.get(STATE_VARIABLE):
        return Path(folder).absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("stepdbg", appauthor=False))


def script_file(identity: str, name: str) -> Path:
    """The file that keeps what belongs to one script: `scripts/mnist-3f9c01ab.toml`.

    Args:
        identity: Tells the script from all others: its path.
        name: For people: `mnist.py`.
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]", "", Path(name).stem)[:40] or "script"
    mark = f"{zlib.crc32(identity.encode('utf-8', 'surrogateescape')):08x}"
    return state_folder() / "scripts" / f"{stem}-{mark}.toml"


def is_script_file(path: Path) -> bool:
    """Whether that is a file in which the state of a script of this user's is kept: a hub may name any."""
    return path.parent == state_folder() / "scripts" and path.suffix == ".toml"
