"""What the fake debuggee replays is what the real tracer tells and answers."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import msgspec
import pytest

from recording.record import UPDATES, Recorder
from stepdbg.protocol.messages import ListEffects
from stepdbg.testing.recording import Place, Recording, State, load
from stepdbg.testing.replay import Replay

DIFFERS = ("id", "pointer", "levels")
"""What may differ: addresses, and the levels of numbers that lie near the border of two."""


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def state_told(recording: Recording, state: State) -> Any:
    edits = recording.edits_of(state).items()
    return {
        "answers": {repr(query): plain(answer) for query, answer in recording.answers_of(state).items()},
        "edits": {
            repr(query): [plain(found), after and state_told(recording, after)] for query, (found, after) in edits
        },
    }


def place_told(recording: Recording, place: Place) -> Any:
    inside = [place_told(recording, inner) for inner in place.inside]
    return {"stop": plain(place.stop), "state": state_told(recording, place.state), "inside": inside}


def difference(old: Any, new: Any, where: str = "") -> str:
    """Where the first one is, beyond rounding; empty where there is none."""
    if isinstance(old, dict) and isinstance(new, dict):
        if missing := old.keys() ^ new.keys():
            return f"{where}: {missing}"
        if "format" in old:
            old, new = ({**one, "values": [*struct.iter_unpack(one["format"], one["values"])]} for one in (old, new))
        pairs = ((f"{where}.{key}", old[key], new[key]) for key in old if key not in DIFFERS)
        return next((found for key, a, b in pairs if (found := difference(a, b, key))), "")
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        found = (difference(*pair, where=f"{where}[{place}]") for place, pair in enumerate(zip(old, new, strict=True)))
        return next((one for one in found if one), "")
    if isinstance(old, float) and isinstance(new, float) and math.isfinite(old):
        return "" if math.isclose(old, new, rel_tol=1e-3, abs_tol=1e-6) else f"{where}: {old} is now {new}"
    if isinstance(old, str) and isinstance(new, str):
        old, new = (re.sub(r"-?\d+\.\d+(e-?\d+)?", "…", one) for one in (old, new))
    return "" if repr(old) == repr(new) else f"{where}: {old!r} is now {new!r}"


@pytest.mark.parametrize("name", UPDATES)
def test_the_recording_is_what_the_tracer_says_today(name: str) -> None:
    known, anew = load(name), Recorder(large=name == "large").recorded(updates=1)
    assert anew.source == known.source, "the script is another one: make record"
    for number, place in enumerate(anew.places):
        old, new = place_told(known, known.places[number]), place_told(anew, place)
        found = difference(old, new, f"stop {number}")
        assert not found, f"{found}: make record"


@pytest.mark.parametrize("name", UPDATES)
def test_what_is_asked_for_as_a_whole_comes_back_as_it_was_recorded(name: str) -> None:
    recording = load(name)
    for place in (*recording.places[:7], recording.places[-1]):
        replay = Replay(recording)
        replay.arrive(place, place.stop.boundary, 0, 0)
        for query, answer in recording.answers_of(place.state).items():
            if isinstance(query, ListEffects):
                query = msgspec.structs.replace(query, boundary=place.stop.boundary.index)
            assert not difference(plain(answer), plain(replay.answer(query)), repr(query))
