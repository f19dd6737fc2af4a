"""Unmodified scripts of diverse make: the same bits bare, traced and stepped, and the phases that they really run."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.place import Place
from scripts.courses import COURSES, Course
from scripts.running import PROGRAMS, Runs, course, passing_over_evaluation, run


@pytest.mark.parametrize("name", COURSES)
def test_it_ends_in_the_same_bits_and_goes_through_the_phases_that_it_runs(
    name: str, place: Place, tmp_path: Path
) -> None:
    expected = COURSES[name]
    runs = run(place, name, tmp_path / "trace.jsonl")
    check_that_nothing_was_changed(runs, expected)
    check_the_phases(runs, expected)
    check_the_names(runs, expected)
    check_the_places(name, runs, expected)
    place.wait_empty()


def check_that_nothing_was_changed(runs: Runs, expected: Course) -> None:
    assert runs.bare.status == expected.status
    assert "digest " in runs.bare.stdout
    said = "".join(f"stepdbg: {notice}\n" for notice in runs.stepping.notices)
    assert said in runs.traced.stderr
    assert runs.traced._replace(stderr=runs.traced.stderr.replace(said, "")) == runs.bare
    assert runs.stepped == runs.bare


def check_the_phases(runs: Runs, expected: Course) -> None:
    updates = [update.strip() for update in expected.updates]
    assert course(runs.lines) == updates
    assert course([stop.boundary for stop in runs.stepping.stops]) == passing_over_evaluation(updates)
    epochs = list(dict.fromkeys(line.epoch for line in runs.lines if line.done is not None))
    assert [epoch for epoch in epochs if epoch is not None] == [e for e in expected.epochs if e is not None]


def check_the_names(runs: Runs, expected: Course) -> None:
    assert expected.names - runs.stepping.names == set()
    assert runs.stepping.losses == expected.losses
    for phase, objects in expected.effects.items():
        affected = next(line.effects for line in runs.lines if line.done == phase)
        assert objects - {effect.object for effect in affected} == set()
    for part in expected.notices:
        assert any(part in notice for notice in runs.stepping.notices)
    assert expected.notices or not runs.stepping.notices


def check_the_places(name: str, runs: Runs, expected: Course) -> None:
    file = PROGRAMS / f"{name}.py"
    text = file.read_text().splitlines()
    for boundary in [*runs.lines, *(stop.boundary for stop in runs.stepping.stops)]:
        if boundary.next is not None:
            assert boundary.file == str(file)
    for phase, line in expected.lines.items():
        boundary = next(line for line in runs.lines if line.next == phase)
        assert text[boundary.line - 1].strip() == line


def test_each_program_has_its_course() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.py")} - {"digest"} == set(COURSES)
    assert len(COURSES) >= 30
