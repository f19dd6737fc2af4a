"""Whether a program that ran three ways did what its course says, and the same each time."""

from __future__ import annotations

import difflib
from collections.abc import Collection

import msgspec
from scripts.courses.course import Course
from scripts.courses.truly_wrong import TRULY_WRONG
from scripts.running import Free, Outcome, Runs, course, passing_over_evaluation

from stepdbg.protocol import messages as m


def check(runs: Runs, expected: Course, *, wrong: Collection[str] = ()) -> None:
    """All that a course says of a run, and that stepdbg changed nothing.

    Raises:
        AssertionError: something is otherwise.
    """
    _nothing_was_changed(runs, expected)
    _phases(runs, expected)
    _names(runs, expected)
    _places(runs, expected)
    _findings(runs, {*TRULY_WRONG.get(runs.script.stem, {}), *wrong})
    if runs.free is not None:
        _came_to_the_same(runs, runs.free)


def _nothing_was_changed(runs: Runs, expected: Course) -> None:
    assert runs.bare.status == expected.status
    assert "digest " in runs.bare.stdout
    said = "".join(f"stepdbg: {notice}\n" for notice in runs.stepping.notices)
    assert said in runs.traced.stderr
    traced = runs.traced._replace(stderr=runs.traced.stderr.replace(said, ""))
    assert _difference(traced, runs.bare) == []
    assert _difference(runs.stepped, runs.bare) == []


def _difference(one: Outcome, bare: Outcome) -> list[str]:
    """In what a run's outcome differs from the bare one's: the parts of lines that are there in one of them only."""
    if one == bare:
        return []
    parts = [
        f"{outcome.status}, {outcome.stdout}, {outcome.stderr}".replace("\n", ", ").split(", ")
        for outcome in (one, bare)
    ]
    return [line for line in difflib.ndiff(*parts) if line[0] in "+-"] or ["spaces"]


def _phases(runs: Runs, expected: Course) -> None:
    updates = [update.strip() for update in expected.updates]
    assert course(runs.lines) == updates
    assert course([stop.boundary for stop in runs.stepping.stops]) == passing_over_evaluation(updates)
    epochs = list(dict.fromkeys(line.epoch for line in runs.lines if line.done is not None))
    assert [epoch for epoch in epochs if epoch is not None] == [e for e in expected.epochs if e is not None]


def _names(runs: Runs, expected: Course) -> None:
    assert expected.names - runs.stepping.names == set()
    assert runs.stepping.losses == expected.losses
    for phase, objects in expected.effects.items():
        affected = next(line.effects for line in runs.lines if line.done == phase)
        assert objects - {effect.object for effect in affected} == set()
    for part in expected.notices:
        assert any(part in notice for notice in runs.stepping.notices)
    assert expected.notices or not runs.stepping.notices


def _places(runs: Runs, expected: Course) -> None:
    text = runs.script.read_text().splitlines()
    for boundary in [*runs.lines, *(stop.boundary for stop in runs.stepping.stops)]:
        if boundary.next is not None:
            assert boundary.file == str(runs.script)
    for phase, line in expected.lines.items():
        boundary = next(line for line in runs.lines if line.next == phase)
        assert text[boundary.line - 1].strip() == line


def _findings(runs: Runs, wrong: set[str]) -> None:
    """The rules find nothing but facts, and what is truly wrong: whether somebody steps or not."""
    for findings in (runs.found, runs.stepping.found):
        found = {(one.rule, one.message) for one in findings if one.severity != "info"}
        assert {rule for rule, _ in found} == wrong, found


def _came_to_the_same(runs: Runs, free: Free) -> None:
    """The free run, which only notes what passes by, ends where the others do."""
    stepped = runs.stepping.stops[-1]
    assert free.outcome == runs.bare
    assert (free.end.reason, free.end.detail) == (stepped.reason, stepped.detail)
    assert _replaced(free.end.boundary) == _replaced(stepped.boundary)
    for mine, theirs in ((free.end.phases, stepped.phases), (free.end.previous, stepped.previous)):
        assert [_what(record) for record in mine] == [_what(record) for record in theirs]
    assert free.points == runs.stepping.points


def _replaced(boundary: m.Boundary) -> m.Boundary:
    return msgspec.structs.replace(boundary, ms=None)


def _what(record: m.PhaseRecord) -> tuple[str, tuple[str, ...], bool]:
    return record.name, record.inside, record.skipped
