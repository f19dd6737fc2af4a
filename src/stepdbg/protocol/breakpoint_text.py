"""Breakpoints as people write them, and as they are told: one grammar for command line, dialog, kept file and screen.

    [before | after] PHASE [of NAME] [CLAUSES] [if CONDITION]
    update N | update every K | epoch N
    FILE:LINE [CLAUSES] [if CONDITION]
    [before | after] forward of MODULE | gradient of PARAMETER
    when NAME changes | when NAME leaves LOW to HIGH | when NAME is not finite | when NAME stays K updates
    [first] nan
    [new] finding
    time 14:30 | time 2026-11-30 14:30:05

Clauses, in any order: `at update N`, `every K`, `in epoch N`, `on rank R`, `ignore N`, `once`, `log "words {loss}"`.
`backward`, `after step of opt_g`, `before backward at update 40`, `step every 9 if grad_norm() > 1`,
`train.py:48 once`, `after forward of model.layers.*.attn`, `gradient of model.fc1.weight`,
`when model.fc1.weight[3, 7] leaves -1 to 1`.
"""

from __future__ import annotations

import re
import time
from pathlib import PurePath
from typing import Any

import msgspec

from stepdbg.errors import UsageError
from stepdbg.protocol import moment_text
from stepdbg.protocol.expressions import UNCOMPILED, compiled, what_is_wrong
from stepdbg.protocol.messages import Boundary, Breakpoint, Noted
from stepdbg.protocol.watchpoint_text import WATCH, watch_words, watched

# Compiled at first use: the first paint waits for this module.
_WORD = r"\s*(\S+)"
_LINE = r"\s*(?P<file>\S.*?\.\w+):(?P<line>\d+)(?=\s|\Z)"
_STRING = r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_COUNTED = {"at": ("update", "update"), "in": ("epoch", "epoch"), "on": ("rank", "rank")}
"""The word that a clause begins with: the one that follows on it, before a number, and what the number is of."""
CLAUSES = (*_COUNTED, "of", "every", "ignore", "once", "log", "if")
"""The words that clauses begin with."""
_FIRST_BAD = "first nan"
"""How the breakpoint is written that is met where the first value is not finite."""
_FINDING = "new finding"
"""How the breakpoint is written that is met where a rule finds something new."""
EXAMPLES = "`backward`, `after step of opt`, `update 40`, `train.py:48`, `backward if loss > 2`"


class _Scanner:
    """Takes a text apart from its beginning on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    @property
    def rest(self) -> str:
        """What has not been taken yet, without blanks around it."""
        return self._text[self.at :].strip()

    def take(self, pattern: str) -> re.Match[str] | None:
        """What matches here, which is taken then."""
        match = re.compile(pattern).match(self._text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def word(self) -> str:
        """The next word, which is taken; empty at the end."""
        match = self.take(_WORD)
        return match[1] if match else ""

    def next_word(self) -> str:
        """The next word, which stays."""
        match = re.compile(_WORD).match(self._text, self.at)
        return match[1] if match else ""

    def number(self) -> int | None:
        """The number that comes next; None where there is none."""
        match = self.take(r"\s*(\d+)(?=\s|\Z)")
        return int(match[1]) if match else None


def parse(text: str) -> Breakpoint:
    """The breakpoint that `text` describes, not yet numbered.

    Raises:
        UsageError: the text describes none; says which part, or gives examples.
    """
    scanner = _Scanner(text)
    found: dict[str, Any] = {}
    if scanner.next_word() == "when":
        found["watch"], found["when"] = watched(scanner.take(WATCH), text), "after"
    elif not (
        _is_line(scanner, found, text)
        or _is_anywhere(scanner, found)
        or _is_time(scanner, found, text)
        or _is_of_updates(scanner, found)
    ):
        _read_phase(scanner, found, text)
    while word := scanner.word():
        if word == "if":
            found["condition"] = condition = scanner.rest
            check_condition(condition)
            break
        if word not in CLAUSES or not _read_clause(word, scanner, found):
            raise _unreadable(text)
    if is_gradient(found.get("phase"), found.get("of", "")):
        if found.get("when") == "before":
            raise UsageError(f"a gradient is stopped at where it has arrived: write `gradient of {found['of']}`")
        found["when"] = "after"
    for name, what in (("first_bad", "the first NaN"), ("finding", "a new finding")):
        if found.keys() - {name, "rank", "once"} and name in found:
            raise UsageError(f"{text!r}: {what} is stopped at wherever it is; only `on rank R` and `once` go with it")
    for name, what in (("update", "updates"), ("epoch", "epochs"), ("every", "updates")):
        if found.get(name) == 0:
            raise UsageError(f"the breakpoint {text!r} is never met: {what} count from 1")
    return Breakpoint(0, **found)


def _is_line(scanner: _Scanner, found: dict[str, Any], text: str) -> bool:
    """Read `train.py:48`, where that comes next."""
    match = scanner.take(_LINE)
    if match is None or re.search(rf"[\"']|\s({'|'.join(CLAUSES)})\s", match["file"]):
        scanner.at = 0
        return False
    found["file"], found["line"] = match["file"], int(match["line"])
    word = re.match(r"(before|after)\s+(.*)", match["file"])
    if word is not None:
        raise UsageError(f"training stops before a line runs; write {word[2]}:{match['line']}")
    if not found["line"]:
        raise UsageError(f"the breakpoint {text!r} is never met: lines count from 1")
    return True


def is_gradient(phase: str | None, of: str) -> bool:
    """Whether `PHASE of NAME` is a parameter's gradient, which is no phase."""
    return phase == "gradient" and bool(of)


def _is_anywhere(scanner: _Scanner, found: dict[str, Any]) -> bool:
    """Read `nan` or `first nan`, `finding` or `new finding`, where one of these comes next."""
    if scanner.take(r"(?i)\s*(first\s+)?nan(?=\s|\Z)") is not None:
        found["first_bad"] = True
    elif scanner.take(r"(?i)\s*(new\s+)?finding(?=\s|\Z)") is not None:
        found["finding"] = True
    return bool(found)


def _is_time(scanner: _Scanner, found: dict[str, Any], text: str) -> bool:
    """Read `time 14:30`, where that comes next."""
    match = scanner.take(rf"\s*time\s+{moment_text.MOMENT}(?=\s|\Z)")
    if match is None:
        return False
    found["time"] = moment_text.moment(match["date"] or "", match["clock"], time.time())
    if found["time"] is None:
        raise UsageError(f"there is no such time: {text!r}; write for example `time 14:30`")
    found["once"] = True
    return True


def _is_of_updates(scanner: _Scanner, found: dict[str, Any]) -> bool:
    """Read `update 40`, `update every 10` or `epoch 3`, where that comes next."""
    for name in ("update", "epoch"):
        if match := scanner.take(rf"\s*{name}\s+(\d+)(?=\s|\Z)"):
            found[name] = int(match[1])
            return True
    if match := scanner.take(r"\s*update\s+every\s+(\d+)(?=\s|\Z)"):
        found["every"] = int(match[1])
        return True
    return False


def _read_phase(scanner: _Scanner, found: dict[str, Any], text: str) -> None:
    """Read the phase, and before or after it."""
    word = scanner.word()
    if word in ("before", "after"):
        found["when"] = word
        word = scanner.word()
    if not word or word in ("before", "after", *CLAUSES):
        raise _unreadable(text)
    found["phase"] = word


def _read_clause(word: str, scanner: _Scanner, found: dict[str, Any]) -> bool:
    """Read what follows on the word that a clause begins with; False where that makes no sense."""
    if word == "once":
        found["once"] = True
        return True
    if word == "of":
        found["of"] = scanner.word()
        return "phase" in found and found["of"] not in ("", *CLAUSES)
    if word == "log":
        match = scanner.take(_STRING)
        if match is None:
            return False
        found["log"] = _unquoted(match[1])
        check_log(found["log"])
        return True
    name = word
    if word in _COUNTED:
        expected, name = _COUNTED[word]
        if scanner.word() != expected:
            return False
    number = scanner.number()
    found[name] = number
    if word == "every":
        scanner.take(r"\s*updates?(?=\s|\Z)")
    return number is not None


def _unreadable(text: str) -> UsageError:
    condition = re.search(r"[<>=]|\w\(", text) and not re.search(r"(^|\s)if\s", text)
    hint = "a condition stands after `if`; " if condition else ""
    return UsageError(f"cannot read the breakpoint {text!r}; {hint}write for example {EXAMPLES}")


def check_condition(condition: str) -> None:
    """See that a condition can be evaluated.

    Raises:
        UsageError: it is no expression of Python; says what is wrong with it.
    """
    if not condition:
        raise UsageError("there is nothing after `if`; write for example `backward if loss > 2`")
    try:
        compiled(condition, "<condition>")
    except UNCOMPILED as error:
        hint, what = "", what_is_wrong(error)
        if re.search(r"\s(once|ignore \d+|log [\"'].*|at update \d+|every \d+|of \S+)\Z", condition):
            hint = "; everything else stands before `if`"
        elif re.search(r"(?<![=!<>:])=(?!=)", condition) and "(" not in condition:
            hint = "; compare with =="
        raise UsageError(f"the condition {condition!r} is no expression of Python: {what}{hint}") from error


def check_log(words: str) -> None:
    """See that the words of a log message can be filled in.

    Raises:
        UsageError: what stands between braces is no expression of Python.
    """
    try:
        compiled(log_source(words), "<log>")
    except UNCOMPILED as error:
        raise UsageError(f"the message {words!r} cannot be filled in: {what_is_wrong(error)}") from error


def log_source(words: str) -> str:
    """The expression of Python that fills in a log message: an f-string."""
    quote = '"""' if '"""' not in words and not words.endswith('"') else "'''"
    return f"f{quote}{words}{quote}" if "\\" not in words else f"f{words!r}"


def describe(point: Breakpoint) -> str:
    """The text that `parse` reads back to the same breakpoint."""
    parts = [*_place(point)]
    if point.of:
        parts.append(f"of {point.of}")
    opens = _opens(point)
    if point.update is not None and not opens:
        parts.append(f"at update {point.update}")
    if point.every is not None and not (opens and point.update is None):
        parts.append(f"every {point.every}")
    if point.epoch is not None and not (opens and point.update is None and point.every is None):
        parts.append(f"in epoch {point.epoch}")
    if point.rank is not None:
        parts.append(f"on rank {point.rank}")
    if point.ignore:
        parts.append(f"ignore {point.ignore}")
    if point.once and point.time is None:
        parts.append("once")
    if point.log:
        parts.append(f"log {_quoted(point.log)}")
    if point.condition:
        parts.append(f"if {point.condition}")
    return " ".join(parts)


def _opens(point: Breakpoint) -> bool:
    """Whether a breakpoint is met where an update or an epoch opens."""
    return point.phase is None and point.line is None and point.watch is None and point.time is None


def _quoted(words: str) -> str:
    """A message between double quotes."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _unquoted(words: str) -> str:
    """What stands between quotes; a backslash takes the character after it as it is, but for an n and a t."""
    return re.sub(r"\\(.)", lambda one: {"n": "\n", "t": "\t"}.get(one[1], one[1]), words[1:-1])


def _place(point: Breakpoint) -> list[str]:
    """What a breakpoint begins with."""
    if point.line is not None:
        return [f"{point.file}:{point.line}"]
    if point.watch is not None:
        return [watch_words(point.watch)]
    if is_gradient(point.phase, point.of):
        return ["gradient"]
    if point.first_bad:
        return [_FIRST_BAD]
    if point.finding:
        return [_FINDING]
    if point.time is not None:
        return [f"time {moment_text.told(point.time)}"]
    if point.phase is not None:
        return [f"{point.when} {point.phase}"]
    if point.update is not None:
        return [f"update {point.update}"]
    return [f"update every {point.every}"] if point.every is not None else [f"epoch {point.epoch}"]


def noted_words(noted: Noted, *, several: bool = False) -> str:
    """A line of what a breakpoint has noted: `update 12, before step: loss 0.31`; with the rank, of `several`."""
    at = noted.boundary
    where = f"before {at.next}" if at.next else f"after {at.done}" if at.done else line_of(at)
    who = f"rank {at.rank} " if several else ""
    return f"{who}update {at.opens or at.update}, {where}: {noted.words}"


def line_of(at: Boundary) -> str:
    """`at train.py:48`: where a boundary lies that is none between phases; without a line, within which phase."""
    if at.file and at.line:
        return f"at {PurePath(at.file).name}:{at.line}"
    return f"inside {at.inside[-1]}" if at.inside else "at a line"


def destination(text: str, update: int, epoch: int | None = None) -> Breakpoint:
    """The temporary breakpoint that training is to run to: `400` is an update, `loss < 0.1` one before backward,
    `14:30` and `10 min` a time.

    Args:
        text: As people write it.
        update: The update that training is in.
        epoch: The epoch that it is in; None where none is counted.

    Raises:
        UsageError: the text describes none, or one that is behind.
    """
    words = text.strip()
    if words.isdigit():
        words = f"update {words}"
    if (ahead := moment_text.after(words, time.time())) is not None:
        words = f"time {moment_text.told(ahead)}"
    elif re.fullmatch(moment_text.MOMENT, words):
        words = f"time {words}"
    try:
        point = parse(f"backward {words}" if words.startswith("if ") else words)
    except UsageError:
        if not re.search(r"[<>=]|\w\(", words):
            raise
        point = parse(f"backward if {words}")
    if why := behind(point, update, epoch):
        raise UsageError(why)
    if point.time is not None and point.time <= time.time():
        raise UsageError(f"{moment_text.told(point.time)} is behind")
    return msgspec.structs.replace(point, once=True, goal=True)


def behind(point: Breakpoint, update: int, epoch: int | None) -> str:
    """That the update or the epoch of a breakpoint is over, or has been opened where one is to be met at its opening;
    empty where it is not.

    Args:
        point: The breakpoint.
        update: The update that training is in, or that opens where it stands.
        epoch: The epoch of that; None where none is counted.
    """
    for name, wanted, now in (("update", point.update, update), ("epoch", point.epoch, epoch)):
        if wanted is not None and now is not None and wanted < now + _opens(point):
            return f"{name} {wanted} is behind: this is {name} {now}"
    return ""


def goal_words(point: Breakpoint) -> str:
    """What a place is called that training runs to: `update 400`, `14:30:00`, `backward if loss < 0.1`."""
    if point.time is not None:
        return moment_text.told(point.time)[11:]
    return describe(msgspec.structs.replace(point, once=False)).removeprefix("before ")


def same_place(one: Breakpoint, other: Breakpoint) -> bool:
    """Whether both are of the same place: they differ in nothing that is written but whether they stop or note."""
    return _identity(one) == _identity(other)


def _identity(point: Breakpoint) -> tuple[Any, ...]:
    return (
        point.phase, point.when, point.update, point.of, point.every, point.epoch, point.rank, point.condition,
        point.log, point.file, point.line, point.watch, point.first_bad, point.finding, point.time,
        point.goal,
    )  # fmt: skip
