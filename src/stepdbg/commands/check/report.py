"""The findings as they are printed: for people, as JSON, as annotations of GitHub's, as SARIF.

GitHub's annotations are workflow commands (docs.github.com, "Workflow commands for GitHub Actions"): a message's `%`,
line ends, and in properties also `:` and `,` are written in hexadecimal. SARIF is the format of OASIS, version 2.1.0.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from typing import Any

import msgspec

from stepdbg.commands.check.findings import Findings
from stepdbg.protocol.messages import Finding

PAGES = "docs/rules"
"""Where the pages of the rules lie."""
_WIDTH = 100
_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def text_report(found: Findings, ending: str) -> str:
    """For people: each finding with its evidence, cause and fix; what is right; what was not looked at."""
    parts = [_in_words(one) for one in found.all]
    last = [_summary(found)] if found.updates or parts else []
    if ending:
        last.append(ending)
    if found.right:
        last.append(_list("right", found.right))
    if found.unchecked:
        last.append(_list("not checked", found.unchecked))
    return "\n\n".join([*parts, "\n".join(last)]) + "\n"


def json_report(found: Findings, ending: str) -> str:
    """`{"findings": [...], "updates": ..., "right": [...], "unchecked": [...], "ending": ...}`."""
    whole: dict[str, Any] = {
        "findings": [_as_json(one) for one in found.all],
        "updates": found.updates,
        "right": found.right,
        "unchecked": found.unchecked,
        "ending": ending,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def github_report(found: Findings, ending: str) -> str:
    """An annotation a finding, for the log of a workflow."""
    lines = [_annotation(one) for one in found.all]
    lines += [_summary(found)] if found.updates or lines else []
    return "\n".join([*lines, *([ending] if ending else [])]) + "\n"


def sarif_report(found: Findings, ending: str) -> str:
    """A log with one run."""
    rules = sorted({one.rule for one in found.all})
    run = {
        "tool": {
            "driver": {
                "name": "stepdbg",
                "rules": [{"id": rule, "helpUri": f"{PAGES}/{rule}.md"} for rule in rules],
            }
        },
        "results": [_result(one) for one in found.all],
    }
    if ending:
        run["invocations"] = [
            {"executionSuccessful": False, "toolExecutionNotifications": [{"message": {"text": ending}}]}
        ]
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


REPORTS = {"text": text_report, "json": json_report, "github": github_report, "sarif": sarif_report}
"""What `--format` takes."""


def _in_words(one: Finding) -> str:
    place = f"{_relative(one.file)}:{one.line}  " if one.line else ""
    updates = f"update {one.first}" if one.first == one.last else f"updates {one.first} to {one.last}"
    lines = [f"{one.severity}  {one.rule}  {place}{updates}"]
    lines += _wrapped("", one.message)
    for label, words in (("evidence", one.evidence), ("cause", one.cause), ("fix", one.fix)):
        if words:
            lines += _wrapped(f"{label}: ", words)
    return "\n".join([*lines, f"    more: {PAGES}/{one.rule}.md"])


def _wrapped(label: str, words: str) -> list[str]:
    indent = " " * (4 + len(label))
    return [
        line
        for number, part in enumerate(words.split("\n"))
        for line in textwrap.wrap(
            part,
            _WIDTH,
            initial_indent=indent if number else f"    {label}",
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _summary(found: Findings) -> str:
    counts = [(level, sum(one.severity == level for one in found.all)) for level in _LEVELS]
    told = [f"{count} {level}{'s' if count != 1 and level != 'info' else ''}" for level, count in counts if count]
    updates = f"{found.updates} update{'s' if found.updates != 1 else ''}"
    return f"{updates} checked: {', '.join(told) or 'nothing found'}"


def _list(label: str, words: Sequence[str]) -> str:
    return "\n".join(
        textwrap.wrap(f"{label}: {'; '.join(words)}", _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    )


def _as_json(one: Finding) -> dict[str, Any]:
    fields = msgspec.structs.asdict(one)
    return {**fields, "objects": [*one.objects], "page": f"{PAGES}/{one.rule}.md"}


def _annotation(one: Finding) -> str:
    place = f"file={_escaped(_relative(one.file), ':,')},line={one.line}," if one.line else ""
    words = "\n".join(part for part in (one.message, one.cause, one.fix) if part)
    return f"::{_LEVELS[one.severity]} {place}title={_escaped(one.rule, ':,')}::{_escaped(words)}"


def _escaped(text: str, also: str = "") -> str:
    for one in f"%\r\n{also}":
        text = text.replace(one, f"%{ord(one):02X}")
    return text


def _result(one: Finding) -> dict[str, Any]:
    words = "\n".join(part for part in (one.message, one.evidence, one.cause, one.fix) if part)
    result: dict[str, Any] = {"ruleId": one.rule, "level": _SARIF_LEVELS[one.severity], "message": {"text": words}}
    if one.line:
        place = {"artifactLocation": {"uri": _relative(one.file)}, "region": {"startLine": one.line}}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _relative(file: str) -> str:
    """The file as it is written from the current folder, where it lies below that."""
    below = os.path.relpath(file) if file else ""
    return file if below.startswith("..") else below
