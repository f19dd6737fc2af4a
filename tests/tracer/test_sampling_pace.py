"""How often a free run is sampled: at a share of training's time, whatever an update and a sample take."""

from __future__ import annotations

import pytest

from stepdbg.tracer.watches import pace
from stepdbg.tracer.watches.pace import WAY_NS, SamplingPace

MS = 1_000_000


class Clock:
    """The time of a thread that only computes, which is the time on the wall too (ns)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        for name in ("monotonic_ns", "thread_time_ns"):
            monkeypatch.setattr(pace, name, lambda: self.now)


def sampled(clock: Clock, share: float, update_ns: int, sample_ns: int, updates: int) -> list[int]:
    """The updates that are sampled, of so many."""
    samples, found = SamplingPace(share), []
    for update in range(1, updates + 1):
        clock.now += update_ns
        if update >= samples.due:
            samples.begin()
            clock.now += sample_ns
            samples.sampled(update)
            found.append(update)
    return found


@pytest.mark.parametrize("update_ns", [MS // 2, 5 * MS, 100 * MS], ids=["0.5 ms", "5 ms", "100 ms"])
@pytest.mark.parametrize("sample_ns", [MS // 10, MS, 20 * MS], ids=["of 0.1 ms", "of 1 ms", "of 20 ms"])
@pytest.mark.parametrize("share", [0.01, 0.002])
def test_samples_and_the_way_to_them_take_no_more_than_their_share(
    monkeypatch: pytest.MonkeyPatch, share: float, update_ns: int, sample_ns: int
) -> None:
    found = sampled(Clock(monkeypatch), share, update_ns, sample_ns, 60_000)
    steady = [update for update in found if update > 30_000]
    assert (WAY_NS + sample_ns) * len(steady) <= share * update_ns * 30_000
    assert (WAY_NS + sample_ns) * len(steady) >= share * update_ns * 30_000 / 3 or len(steady) <= 1


def test_a_run_that_is_over_soon_has_its_first_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sampled(Clock(monkeypatch), 0.002, MS // 2, MS, 1_000)
    assert found == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]


def test_where_an_update_takes_long_every_one_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sampled(Clock(monkeypatch), 0.01, 1_000 * MS, MS, 20) == list(range(1, 21))


@pytest.mark.parametrize(
    ("costs", "slow"),
    [((), False), ((60,), True), ((60, 20), False), ((20, 60, 20), False), ((20, 60, 60), True), ((60, 20, 20), False)],
)
def test_a_sample_that_would_be_felt_at_each_stop_is_known_from_one_that_only_once_took_long(
    monkeypatch: pytest.MonkeyPatch, costs: tuple[int, ...], slow: bool
) -> None:
    clock, samples = Clock(monkeypatch), SamplingPace(0.002)
    for update, cost in enumerate(costs, 1):
        samples.begin()
        clock.now += cost * MS
        samples.sampled(update)
    assert samples.is_slow is slow
