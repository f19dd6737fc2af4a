"""`make keys`: writes the README's table of keys anew from the one registry of actions."""

from __future__ import annotations

import re
from pathlib import Path

from stepdbg.tui.key_tables import markdown_table

README = Path(__file__).resolve().parents[1] / "README.md"


def main() -> None:
    """Replace the table under `## Keys`."""
    text = README.read_text()
    README.write_text(re.sub(r"(## Keys\n\n)(?:\|.*\n)+", lambda found: found[1] + markdown_table(), text))


if __name__ == "__main__":
    main()
