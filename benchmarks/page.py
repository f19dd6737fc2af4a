"""`docs/benchmarks.md`, of which each benchmark that writes there has a section of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def with_section(text: str, heading: str, lines: Sequence[str]) -> str:
    """The page with that section in place of the one of the same heading; a new one comes last."""
    parts = SECTION.split(text)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    sections[heading] = "\n".join(lines)
    return "\n\n".join([parts[0].strip(), *(f"## {name}\n\n{body.strip()}" for name, body in sections.items())]) + "\n"


def write_section(heading: str, lines: Sequence[str]) -> None:
    """Put what was measured on the page."""
    PAGE.write_text(with_section(PAGE.read_text(), heading, lines))
