"""The updates a second that the header shows."""

from __future__ import annotations

import pytest

from stepdbg.hub.pace import Pace

LOOK = 0.2
"""Seconds between two looks."""


def paces(counts: list[int]) -> list[float | None]:
    """What is told at each look."""
    pace = Pace()
    return [pace.seen(count, place * LOOK) for place, count in enumerate(counts)]


def test_a_steady_pace_is_told_whether_there_are_many_updates_to_a_look_or_many_looks_to_an_update() -> None:
    assert paces([2 * look for look in range(30)])[2:] == [pytest.approx(10.0)] * 28
    slow = paces([look // 50 for look in range(300)])
    assert slow[:100] == [None] * 100
    assert slow[100:] == [pytest.approx(0.1)] * 200


def test_where_an_update_does_not_end_the_pace_is_that_of_one_in_the_time_since_the_one_before() -> None:
    told = paces([*range(20), *[19] * 300])
    assert told[19] == pytest.approx(1 / LOOK)
    assert told[-1] == pytest.approx(1 / (300 * LOOK))
    after = paces([*range(20), *[19] * 300, *range(20, 40)])
    assert after[-1] is not None
    assert 3 < after[-1] < 1 / LOOK
