"""Runs `textbook.py` under the real tracer and records its stops and answers: what the fake debuggee replays.

`make record` writes the files; `test_recording.py` records again and compares. A question that has nothing to be cut
out of its answer needs a line in `questions`, and no code in the fake.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from tracer.bare_hub import Debuggee, debuggee

from stepdbg.protocol import messages as m
from stepdbg.testing.recording import (
    WHOLE,
    Place,
    Recording,
    State,
    path_of,
    save,
    whole_graph,
    whole_map,
    whole_tensor,
)

SCRIPT = Path(__file__).with_name("textbook.py")
BLOCKS = 600
"""Of the network of the recording `large`, which has a parameter in each."""
WEIGHT, BIAS = "model.fc1.weight", "model.fc2.bias"
GRAD = f"{WEIGHT}.grad"
IMAGES = "images"
"""A variable of the script's: three slices, each larger than a screen, and together as large as a window may be."""
UPDATES = {"textbook": WHOLE, "large": 2}
"""How many are recorded: all that the script makes, and enough for a model of many parameters."""
Edits = dict[m.PreviewEdit, "Edits"]
"""Edits, and those that are made after each."""

SCALED = m.PreviewEdit(WEIGHT, "old * 1.5", (0, 0))
"""Can be made everywhere."""
HALF = m.PreviewEdit(WEIGHT, "0.5")
EDITS: dict[str, Edits] = {
    "data": {
        m.PreviewEdit(WEIGHT, "old*0+12.5", (1, 1)): {},
        m.PreviewEdit(WEIGHT, "old*0+12.5", (0, 0)): {},
        m.PreviewEdit(WEIGHT, "1 +", (0, 0)): {},
        m.PreviewEdit(WEIGHT, "nonsense", (0, 0)): {},
        m.PreviewEdit(WEIGHT, "[1, 2, 3]", (0, 0)): {},
        m.PreviewEdit(WEIGHT, "old*0"): {},
        m.PreviewEdit(WEIGHT, "old*2"): {},
        m.PreviewEdit(WEIGHT, "0.5", where="[:2]"): {},
        m.PreviewEdit(BIAS, "5", (1,)): {SCALED: {}},
        m.PreviewEdit("optimizer.param_groups[0]['lr']", "old/2"): {},
    },
    "zero_grad": {m.PreviewEdit("epoch", "old+41", frame=0): {}},
    "forward": {m.PreviewEdit(f"{BIAS}.grad", "value*2"): {}},
    "backward": {HALF: {HALF: {}}},
    "step": {
        m.PreviewEdit(GRAD, "None"): {m.PreviewEdit(GRAD, "0.5"): {}},
        m.PreviewEdit(WEIGHT, "float('nan')", (2, 6)): {
            m.PreviewEdit(WEIGHT, "float('inf')", (8, 4)): {m.PreviewEdit(WEIGHT, "7.5", (4, 2)): {}}
        },
    },
}
"""In the first update, by the phase that comes next."""
AFTER_STEP: Edits = {m.PreviewEdit(f"optimizer.state[{BIAS}].exp_avg_sq", "old*2"): {}}
"""Where the first step is done."""

One = TypeVar("One")


class Recorder:
    """Asks, and keeps each question and each answer once."""

    def __init__(self, large: bool = False) -> None:
        self._arguments = (str(SCRIPT), str(BLOCKS)) if large else (str(SCRIPT),)
        self._large = large
        self._questions: dict[m.Query, int] = {}
        self._answers: dict[bytes, tuple[int, m.Result]] = {}
        self._seen: dict[bytes, int] = {}
        """The number of each answer, as it came."""
        self._numbers: dict[int, int] = {}

    def recorded(self, updates: int) -> Recording:
        """The recording of so many updates."""
        if self._large:
            places = self._run("next", updates)
        else:
            places = self._run("into", updates)
            for place, other in zip(places, self._run("operator", updates), strict=True):
                for inner in other.inside:
                    inner.state.answers = place.state.answers | inner.state.answers
                place.inside = merged(place.inside, other.inside)
            self._edit(places)
        done = "step" if self._large else "eval"
        again = next((n for n, one in enumerate(places) if one.stop.boundary.done == done), 0)
        answers = [answer for _, answer in self._answers.values()]
        return Recording(SCRIPT.read_text(), list(self._questions), answers, places, again)

    def _run(self, go: m.Go, updates: int) -> list[Place]:
        places: list[Place] = []
        with debuggee(*self._arguments) as training:
            for stop in training.stops(go):
                brief = go == "operator"
                state = State() if brief and stop.inner is None else self._state(training, stop, brief)
                place = Place(self._clean(stop), state, [])
                if stop.inner is None:
                    places.append(place)
                else:
                    places[-1].inside.append(place)
                if stop.boundary.opens and stop.boundary.opens > updates:
                    break
        return places

    def _edit(self, places: list[Place]) -> None:
        """Make every edit where it can be made, and take it back."""
        with debuggee(*self._arguments) as training:
            for place, stop in zip(places, training.stops(), strict=False):
                boundary = stop.boundary
                edits: Edits = {SCALED: {}}
                if boundary.opens == 2 and boundary.done == "step":
                    edits |= AFTER_STEP
                if boundary.update == 1 and boundary.opens != 2:
                    edits |= EDITS.get(boundary.next or "", {})
                if stop.reason != "exit":
                    self._make(training, stop, place.state, edits)

    def _make(self, training: Debuggee, stop: m.Stop, state: State, edits: Edits) -> None:
        for query, further in edits.items():
            preview = training.ask(query)
            after = None
            if isinstance(preview, m.EditPreview):
                done = training.ask(m.ApplyEdit(preview.token, preview.saved))
                assert isinstance(done, m.EditDone), done
                after = self._state(training, stop)
                self._make(training, stop, after, further)
                undone = training.ask(m.UndoEdit())
                assert isinstance(undone, m.EditDone), undone
                preview = msgspec.structs.replace(preview, token=0)
            state.edits[self._question(query)] = (self._answer(preview), after)

    def _state(self, training: Debuggee, stop: m.Stop, brief: bool = False) -> State:
        found = {}
        for query in self._asked(training, stop, brief):
            answer = _whole(training, query)
            if getattr(answer, "side", "now") == getattr(query, "side", "now"):
                found[self._question(query)] = self._answer(answer)
        return State(found)

    def _asked(self, training: Debuggee, stop: m.Stop, brief: bool) -> Iterator[m.Query]:
        """Every question that the screen can ask at that stop, each for the whole of what it may show a part of.

        Brief: only those whose answers an operator may have changed.
        """
        rows = training.ask(m.ListObjects()).rows
        optimizers = training.ask(m.ListOptimizers()).optimizers
        state_table = [row for one in optimizers for row in one.state_table if ".blocks." not in row.parameter]
        tensors = [row.name for row in rows if row.shape or row.dtype if ".blocks." not in row.name]
        parts = [f"{row.parameter}.grad" for row in state_table if row.has_grad]
        parts += [entry.object for row in state_table for entry in row.state]
        inner = [one.object for one in stop.inner.tensors] if stop.inner else []
        yield m.ListObjects()
        yield m.Summarise(tuple(row.name for row in rows))
        yield m.ListOptimizers()
        for frame in range(len(stop.frames)):
            yield m.ListLocals(frame)
        yield from map(whole_tensor, dict.fromkeys((*tensors, *parts, *inner)))
        yield from map(whole_map, inner)
        if brief:
            return
        for kind in {(count.kind, count.after): 0 for count in (stop.effects.counts if stop.effects else ())}:
            yield m.ListEffects(stop.boundary.index, kind[0], count=WHOLE, after=kind[1])
        yield whole_tensor(IMAGES)
        yield from (whole_map(IMAGES, (place,)) for place in range(3))
        for name in (*tensors, *parts):
            yield whole_map(name)
            for side in get_args(m.Side)[1:]:
                yield whole_tensor(name, side)
                yield whole_map(name, side=side)
            yield m.Identify(name)
        for row in state_table:
            for element in (None, (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)):
                yield m.Foresee(row.parameter, element)
        for name in ("", *tensors):
            yield whole_graph(name)
            branches = [row for row in _whole(training, whole_graph(name)).rows if row.kind == "branch"]
            yield from (whole_graph(name, (row.node,)) for row in branches)

    def _question(self, query: m.Query) -> int:
        if isinstance(query, m.ListEffects):
            query = msgspec.structs.replace(query, boundary=0)
        return self._questions.setdefault(query, len(self._questions))

    def _answer(self, answer: m.Result) -> int:
        raw = msgspec.msgpack.encode(answer)
        if raw not in self._seen:
            clean = self._clean(answer)
            self._seen[raw] = self._answers.setdefault(msgspec.msgpack.encode(clean), (len(self._answers), clean))[0]
        return self._seen[raw]

    def _clean(self, one: One) -> One:
        """Without what differs from run to run: paths, times, ids and addresses."""
        plain = msgspec.to_builtins(one, builtin_types=(bytes,))
        return msgspec.convert(self._cleaned(plain), type(one))

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            clean = {key: self._cleaned(inner) for key, inner in value.items() if key != "ms"}
            for key in {"id", "pointer"} & clean.keys():
                clean[key] = 4096 * self._numbers.setdefault(clean[key], len(self._numbers) + 1)
            return clean
        if isinstance(value, list | tuple):
            return [self._cleaned(inner) for inner in value]
        if isinstance(value, str):
            value = value.replace(str(SCRIPT), SCRIPT.name)
            return re.sub(r"/\S*/(site-packages|lib/python3\.\d+)/", "", re.sub(r"0x[0-9a-f]{6,}", "0x…", value))
        return value


def _whole(training: Debuggee, query: m.Query) -> Any:
    """The answer; of a graph, which each question walks a bit further, once it is walked to its end."""
    answer = training.ask(query)
    while isinstance(answer, m.Graph) and not answer.complete:
        answer = training.ask(query)
    return answer


def merged(units: list[Place], operators: list[Place]) -> list[Place]:
    """The inner stops of one phase in order, from those of going through it by its larger units and by operators.

    The larger units are among the operators, but for parameters that a step has written: each comes after the operators
    that have done so.
    """
    larger = {(inner.unit, inner.name, inner.nth): one for one in units if (inner := one.stop.inner)}
    found = [larger.pop((inner.unit, inner.name, inner.nth), one) for one in operators if (inner := one.stop.inner)]
    for (_, name, _), one in larger.items():
        within = [place for place, other in enumerate(found) if other.stop.inner and other.stop.inner.within == name]
        found.insert(within[-1] + 1, one)
    return found


if __name__ == "__main__":
    for name, updates in UPDATES.items():
        save(name, Recorder(large=name == "large").recorded(updates))
        print(f"{path_of(name)}  {path_of(name).stat().st_size:,} bytes", file=sys.stderr)
