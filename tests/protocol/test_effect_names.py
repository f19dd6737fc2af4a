"""How many names a stop carries, and how the others are told."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdbg.listing.effect_names import FEW, Newest, counted
from stepdbg.protocol.messages import EFFECT_NAMES, Effect, Kind, ListEffects, What

KINDS: tuple[Kind, ...] = ("parameter", "grad", "buffer", "state", "hyperparameter", "loss", "output", "batch", "rng")
FATES: tuple[What, ...] = ("changed", "touched", "created", "freed")


def effects(*groups: tuple[Kind, What, int]) -> list[Effect]:
    return [Effect(f"{kind}.{what}.{number}", kind, what) for kind, what, count in groups for number in range(count)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 400)), max_size=4), st.sampled_from(range(1, 10)))
def test_a_stop_counts_all_effects_and_names_no_more_than_it_may(sizes: list[tuple[What, int]], kinds: int) -> None:
    every = effects(*((kind, what, count) for kind in KINDS[:kinds] for what, count in sizes))
    found = counted(every, "fingerprint")
    assert sum(one.count for one in found.counts) == len(every)
    assert len(found.named) + found.left_out == len(every)
    assert len(found.named) <= EFFECT_NAMES
    assert len({id(one) for one in found.named}) == len(found.named)
    if len(every) <= EFFECT_NAMES:
        assert found.named == tuple(every)
    for kind in KINDS[:kinds]:
        of_kind = [one for one in every if one.kind == kind]
        if of_kind:
            assert next(one for one in found.named if one.kind == kind) is of_kind[0]
    for one in found.counts:
        if one.count <= FEW:
            same = [e for e in every if (e.kind, e.what) == (one.kind, one.what)]
            assert [e for e in found.named if (e.kind, e.what) == (one.kind, one.what)] == same


def test_what_a_stop_carries_does_not_grow_with_the_model() -> None:
    sizes = [
        len(
            msgspec.msgpack.encode(
                counted(effects(("parameter", "changed", many), ("grad", "freed", many)), "counters")
            )
        )
        for many in (1_000, 10_000, 100_000)
    ]
    assert max(sizes) - min(sizes) < 100
    assert max(sizes) < 64_000


def test_windows_tell_all_the_names_of_a_kind() -> None:
    every = effects(("parameter", "changed", 1_000), ("grad", "created", 250))
    newest = Newest()
    newest.keep(7, every)
    found: list[Effect] = []
    while len(found) < 250:
        window = newest.window(ListEffects(7, "grad", len(found), 100))
        assert window is not None
        assert window.total == 250
        found += window.effects[len(found) - window.first :]
    assert found == every[1_000:]


@pytest.mark.parametrize("first", [-5, 0, 990, 10**6])
def test_a_window_lies_within_the_names_that_there_are(first: int) -> None:
    newest = Newest()
    newest.keep(7, effects(("parameter", "changed", 1_000)))
    window = newest.window(ListEffects(7, "parameter", first, 30))
    assert window is not None
    assert window.first == max(0, min(first, 970))
    assert [one.object for one in window.effects] == [f"parameter.changed.{window.first + n}" for n in range(30)]


def test_the_oldest_stops_give_way_and_the_newest_stays_whatever_its_size() -> None:
    newest = Newest(most=25)
    for boundary in range(1, 5):
        newest.keep(boundary, effects(("parameter", "changed", 10)))
    kept = [boundary for boundary in range(1, 5) if newest.window(ListEffects(boundary, "parameter")) is not None]
    assert kept == [3, 4]
    newest.keep(5, effects(("parameter", "changed", 100)))
    assert newest.window(ListEffects(4, "parameter")) is None
    assert newest.window(ListEffects(5, "parameter", 0, 1)) is not None
    newest.forget()
    assert newest.window(ListEffects(5, "parameter")) is None
