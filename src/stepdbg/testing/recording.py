"""Recordings of the real tracer: its stops in a training, and at each what it has answered to every question.

`make record` writes them (`tests/recording/record.py`). A file is msgpack, compressed: equal questions and equal
answers lie in it once, and a stop names them by number.
"""

from __future__ import annotations

import functools
import lzma
from pathlib import Path

import msgspec

from stepdbg.protocol.messages import (
    AnyQuery,
    AnyResult,
    LookAt,
    LookAtMaps,
    PreviewEdit,
    Query,
    ReadGraph,
    Result,
    Side,
    Stop,
)

WHOLE = 10_000
"""More rows and columns than anything recorded has."""


class _Part(msgspec.Struct, array_like=True, omit_defaults=True):
    pass


class State(_Part):
    """What is answered at one stop, after some edits."""

    answers: dict[int, int] = {}
    """The number of the answer, by that of the question."""
    edits: dict[int, tuple[int, State | None]] = {}
    """By the number of a `PreviewEdit`: that of its answer, and what holds once it is applied; None where refused."""


class Place(_Part):
    """One stop."""

    stop: Stop
    state: State
    inside: list[Place] = []
    """The inner stops of the phase that comes next: operators and nodes of the graph, and what they are parts of."""


class Recording(_Part):
    """One run of a training script."""

    source: str
    """The script."""
    questions: list[AnyQuery]
    answers: list[AnyResult]
    places: list[Place]
    """The boundaries, in order."""
    again: int = 0
    """Where among them an epoch begins that any further one repeats."""

    def answers_of(self, state: State) -> dict[Query, Result]:
        """What is answered there, by question."""
        return {self.questions[asked]: self.answers[number] for asked, number in state.answers.items()}

    def edits_of(self, state: State) -> dict[PreviewEdit, tuple[Result, State | None]]:
        """What can be edited there: the preview or the refusal, and what follows."""
        found = {}
        for asked, (number, after) in state.edits.items():
            query = self.questions[asked]
            assert isinstance(query, PreviewEdit)
            found[query] = (self.answers[number], after)
        return found


def whole_tensor(name: str, side: Side = "now") -> LookAt:
    """The question that a tensor's answers are recorded under; what a screen asks for is cut out of them."""
    return LookAt(name, rows=WHOLE, columns=WHOLE, side=side)


def whole_map(name: str, index: tuple[int, ...] = (), side: Side = "now") -> LookAtMaps:
    """Likewise of the heat map of one slice, a pixel for each element."""
    return LookAtMaps((name,), index, rows=WHOLE, columns=WHOLE, side=side)


def whole_graph(name: str, opened: tuple[int, ...] = ()) -> ReadGraph:
    """Likewise of the graph behind a tensor, with these branches open."""
    return ReadGraph(name, rows=WHOLE, opened=opened)


def path_of(name: str) -> Path:
    """The file of that recording."""
    return Path(__file__).with_name(f"{name}.recording")


@functools.cache
def load(name: str) -> Recording:
    """The recording of that name, read once."""
    return msgspec.msgpack.decode(lzma.decompress(path_of(name).read_bytes()), type=Recording)


def save(name: str, recording: Recording) -> None:
    """Write it, over the one before."""
    path_of(name).write_bytes(lzma.compress(msgspec.msgpack.encode(recording), preset=9 | lzma.PRESET_EXTREME))
