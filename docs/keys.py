"""`make keys`: writes the table of docs/keys.md anew from the one registry of actions."""

from __future__ import annotations

import re
from pathlib import Path

from stepdbg.tui.actions.key_tables import markdown_table

PAGE = Path(__file__).with_name("keys.md")


def main() -> None:
    """Replace the table."""
    text = PAGE.read_text()
    PAGE.write_text(re.sub(r"(?:^\|.*\n)+", lambda _: markdown_table(), text, count=1, flags=re.MULTILINE))


if __name__ == "__main__":
    main()
