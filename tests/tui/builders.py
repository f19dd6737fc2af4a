"""Snapshots built by hand, so that views are tested as text without a hub."""

from __future__ import annotations

from msgspec.structs import replace

from stepdbg.protocol.messages import (
    Boundary,
    Breakpoint,
    Census,
    Effect,
    EffectCount,
    Effects,
    Kind,
    ObjectRow,
    Objects,
    PhaseRecord,
    RankState,
    Result,
    SessionState,
    Stop,
    What,
)
from stepdbg.tui.actions.action import main_keys
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.drawing.lines import Line, text, width_of
from stepdbg.tui.panels.effects.phase_rows import PHASE
from stepdbg.tui.panels.graph.view import GRAPH
from stepdbg.tui.panels.optimizer.next_step import FORESIGHT
from stepdbg.tui.panels.optimizer.view import OPTIMIZERS
from stepdbg.tui.panels.source.variables import LOCALS
from stepdbg.tui.panels.tensor.slots import BESIDE, MAPS, PICTURES, TENSOR
from stepdbg.tui.state.answers import IDENTITY, OBJECTS, Answer
from stepdbg.tui.state.snapshot import Snapshot

PARAMETERS = tuple(f"model.{layer}.{kind}" for layer in ("conv1", "conv2", "fc1", "fc2") for kind in ("weight", "bias"))
Count = tuple[Kind, What, int]
KEYS = main_keys(ACTIONS)
SLOTS = {
    slot.kind: slot
    for slot in (OBJECTS, IDENTITY, TENSOR, MAPS, PICTURES, BESIDE, GRAPH, OPTIMIZERS, FORESIGHT, PHASE, LOCALS)
}
"""Which question an answer is one to."""


def effects(*counts: Count, names: tuple[str, ...] = (), hint: bool = False) -> Effects:
    """Effects of these counts; the names are given to the first kind."""
    named = tuple(Effect(name, counts[0][0], counts[0][1]) for name in names)
    return Effects("counters" if hint else "fingerprint", tuple(EffectCount(*one) for one in counts), named)


ROUND = (
    PhaseRecord("data", 0.4, effects=effects(("batch", "created", 2))),
    PhaseRecord("zero_grad", 0.1, effects=effects(("grad", "freed", 8))),
    PhaseRecord("forward", 3.1, effects=effects(("output", "created", 1), ("buffer", "changed", 3))),
    PhaseRecord("loss", 0.2, effects=effects(("loss", "created", 1))),
    PhaseRecord("backward", 4.2, effects=effects(("grad", "created", 8))),
    PhaseRecord("step", 1.0, effects=effects(("parameter", "changed", 8), ("state", "changed", 24))),
)
"""One update of a network with batch norm under Adam."""
ORDER = tuple(record.name for record in ROUND)


def stop_after(done: str, *, previous: bool = True, update: int = 42, **fields: object) -> Stop:
    """The stop after that phase of an update."""
    place = ORDER.index(done)
    record = ROUND[place]
    following = ORDER[(place + 1) % len(ORDER)]
    grads = tuple(f"{name}.grad" for name in PARAMETERS)
    named = {"zero_grad": grads, "backward": grads, "step": PARAMETERS}.get(done, ())
    found = effects(*((one.kind, one.what, one.count) for one in record.effects.counts), names=named)
    boundary = Boundary(
        index=place + 1 + 6 * update, update=update, done=done, next=following, epoch=1, ms=record.ms,
        loss=0.4312 if place > 2 else None, opens=update + 1 if done == "step" else None,
    )  # fmt: skip
    values: dict[str, object] = {
        "boundary": boundary, "reason": "step", "effects": found, "phases": ROUND[: place + 1],
        "previous": ROUND if previous else (), "census": Census("cpu", 8, 300_000, 1_200_000), "registry": 1,
        "loss_name": "loss",
    }  # fmt: skip
    return Stop(**{**values, **fields})  # type: ignore[arg-type]


def session(stop: Stop | None, state: str = "paused", breakpoints: tuple[Breakpoint, ...] = ()) -> SessionState:
    """A session with one rank at that stop."""
    ranks = () if stop is None else (RankState(0, 4711, state, stop, ("loss",)),)  # type: ignore[arg-type]
    return SessionState(
        "mnist-3f9c", "mnist.py", "mnist.py", state, ranks=ranks, breakpoints=breakpoints  # type: ignore[arg-type]
    )  # fmt: skip


def at(stop: Stop | None, state: str = "paused", breakpoints: tuple[Breakpoint, ...] = ()) -> Snapshot:
    """The snapshot of that session."""
    return Snapshot(session(stop, state, breakpoints), keys=KEYS)


def knowing(snapshot: Snapshot, *results: Result, **fields: object) -> Snapshot:
    """The snapshot with these answers, all of its own stop."""
    answers = {SLOTS[type(one)].name: Answer(one, snapshot.boundary) for one in results}
    return replace(snapshot, answers={**snapshot.answers, **answers}, **fields)


def model_objects() -> Objects:
    """A small convolutional network as rows."""
    rows = [ObjectRow("model", "model", "model", 0, "Net")]
    for layer in ("conv1", "fc1"):
        rows.append(ObjectRow(f"model.{layer}", layer, "module", 1, "Conv2d" if layer == "conv1" else "Linear"))
        for kind, shape in (("weight", (8, 1, 3, 3)), ("bias", (8,))):
            name = f"model.{layer}.{kind}"
            rows.append(
                ObjectRow(name, kind, "parameter", 2, "", shape, "float32", "cpu", 72, 288, True, "optimizer[0]")
            )
    rows.append(ObjectRow("model.bn1", "bn1", "module", 1, "BatchNorm2d"))
    rows.append(ObjectRow("model.bn1.running_mean", "running_mean", "buffer", 2, "", (8,), "float32", "cpu", 8, 32))
    return Objects(1, tuple(rows))


def shown(lines: tuple[Line, ...] | list[Line]) -> str:
    """Lines as text."""
    return "\n".join(text(line).rstrip() for line in lines)


def widest(lines: tuple[Line, ...] | list[Line]) -> int:
    """Cells of the longest line."""
    return max((width_of(line) for line in lines), default=0)
