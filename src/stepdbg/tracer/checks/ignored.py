"""Findings that a line of the script silences: `# stepdbg: ignore[stale-gradients]`."""

from __future__ import annotations

import re

from stepdbg.protocol.messages import Finding

_IGNORED = re.compile(r"#\s*stepdbg:\s*ignore(?:\[([^\]]*)\])?")


def is_ignored(finding: Finding) -> bool:
    """Whether the line of a finding says `# stepdbg: ignore`, of everything or of its rule."""
    if not finding.line:
        return False
    try:
        with open(finding.file, encoding="utf-8", errors="replace") as file:
            text = next((line for number, line in enumerate(file, 1) if number == finding.line), "")
    except OSError:
        return False
    found = _IGNORED.search(text)
    if found is None:
        return False
    return found[1] is None or finding.rule in [one.strip() for one in found[1].split(",")]
