"""What the fake's Adam would do next, taken apart, and whether the last step did as was foretold."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from typing import Literal

import msgspec

from stepdbg.protocol.messages import Foresee, Foresight, Kept, Move, Refusal, Source
from stepdbg.testing.network import Adam


class Foreseer:
    """Answers `Foresee` as the tracer does."""

    def __init__(self, optimizer: Adam) -> None:
        self._optimizer = optimizer
        self._promises: dict[str, tuple[int, array[float], float]] = {}
        self._kept: dict[str, Kept] = {}

    def forget(self) -> None:
        """Something was edited."""
        self._promises.clear()

    def answer(self, query: Foresee, step_is_next: bool) -> Foresight | Refusal:
        """The answer."""
        optimizer = self._optimizer
        name = re.sub(r"\.grad\Z|\Aoptimizer\.state\[|\]\.\w+\Z", "", query.object)
        parameter = optimizer.parameters.get(name.removeprefix("model."))
        if parameter is None:
            return Refusal(f"{name} is in no optimizer (optimizer): no step will change it")
        reached = self._reached(name)
        kept = None if reached else self._held_against(name)
        blank = Foresight(name, "optimizer", "Adam", 0, optimizer.steps, kept=kept, reached=reached)
        if parameter.grad is None:
            why = "It has no gradient: step passes it over, without momentum and without decay"
            return msgspec.structs.replace(blank, why_not=why)
        state = optimizer.state.get(name.removeprefix("model."), {})
        values, grad = parameter.values, parameter.grad.values
        zeros = array("d", bytes(8 * len(values)))
        means = state["exp_avg"].values if state else zeros
        squares = state["exp_avg_sq"].values if state else zeros
        step = (state["step"].values[0] if state else 0) + 1
        (first, second), rate = optimizer.betas, -optimizer.lr.values[0]
        divisors = [
            (math.sqrt((second * s + (1 - second) * g * g) / (1 - second**step)) + optimizer.eps) * (1 - first**step)
            for s, g in zip(squares, grad, strict=True)
        ]
        parts: dict[Source, list[float]] = {
            "gradient": [rate * (1 - first) * g / d for g, d in zip(grad, divisors, strict=True)],
            "momentum": [rate * first * a / d for a, d in zip(means, divisors, strict=True)],
        }
        total = [a + b for a, b in zip(*parts.values(), strict=True)]
        place = _flat(query.element, parameter.shape)
        moves = [_move(source, part, total, place) for source, part in parts.items()]
        if step_is_next:
            becomes = array("d", (v + t for v, t in zip(values, total, strict=True)))
            self._promises[name] = (optimizer.steps, becomes, max(map(abs, total)))
        return msgspec.structs.replace(
            blank,
            element=None if place is None else query.element,
            value=None if place is None else values[place],
            norm=_norm(values),
            total=_move("total", total, total, place),
            moves=tuple(move for move in moves if move.source == "gradient" or move.norm > 0),
            formula="w - lr m / (sqrt(v) + eps)",
            fresh=not state,
        )

    def _reached(self, name: str) -> Literal["", "moved", "to come"]:
        moved = self._optimizer.moved
        if moved is None:
            return ""
        return "moved" if name.removeprefix("model.") in moved else "to come"

    def _held_against(self, name: str) -> Kept | None:
        promise, steps = self._promises.get(name), self._optimizer.steps
        if promise is not None and steps > promise[0]:
            del self._promises[name]
            if steps == promise[0] + 1:
                values = self._optimizer.parameters[name.removeprefix("model.")].values
                deviation = max(abs(a - b) for a, b in zip(values, promise[1], strict=True))
                self._kept[name] = Kept(steps, deviation, promise[2], deviation < 1e-9, len(values))
        kept = self._kept.get(name)
        return kept if kept is not None and kept.steps == steps else None


def _move(source: Source, part: Sequence[float], total: Sequence[float], place: int | None) -> Move:
    product, whole = sum(a * b for a, b in zip(part, total, strict=True)), _norm(total) ** 2
    norm = _norm(part)
    share = product / whole if whole else None
    cosine = product / (norm * math.sqrt(whole)) if norm and whole else None
    return Move(source, norm, share, cosine, None if place is None else part[place])


def _norm(numbers: Sequence[float]) -> float:
    return math.sqrt(sum(number * number for number in numbers))


def _flat(index: tuple[int, ...] | None, shape: tuple[int, ...]) -> int | None:
    if index is None or len(index) != len(shape):
        return None
    position = 0
    for place, size in zip(index, shape, strict=True):
        if not 0 <= place < size:
            return None
        position = position * size + place
    return position
