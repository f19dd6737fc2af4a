"""Unmodified scripts of diverse make: the same bits bare, traced and stepped, and the phases that they really run."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.place import Place
from scripts.checking import check
from scripts.courses import COURSES
from scripts.running import COLD, PROGRAMS, run


@pytest.mark.parametrize("name", COURSES)
def test_it_ends_in_the_same_bits_and_goes_through_the_phases_that_it_runs(
    name: str, place: Place, tmp_path: Path
) -> None:
    free = name not in COLD
    check(run(place, PROGRAMS / f"{name}.py", tmp_path / "trace.jsonl", free=free), COURSES[name])
    place.wait_empty()


def test_each_program_has_its_course() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.py")} - {"digest"} == set(COURSES)
    assert len(COURSES) >= 30
