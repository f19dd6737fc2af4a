"""A boundary as a line of a trace: one JSON object, as `stepdbg trace` writes and `stepdbg diff` reads it.

JSON knows neither NaN nor infinity: a loss that is one of them is `null`, and `loss_is` says which.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from stepdbg.protocol.messages import Effect, Traced, TraceReason


class Failure(msgspec.Struct, frozen=True):
    """The exception that ended the script; its traceback is on stderr."""

    type: str
    message: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The fields in the order in which they are written; what is unset is left out."""

    boundary: int
    """From 1 in each rank. Two boundaries with nothing between them are one line, so that a number may be missing."""
    rank: int
    pid: int
    """Of the process: two that train one after the other may have the same rank."""
    epoch: int | None
    update: int
    """The update that the phase done was part of, from 1."""
    done: str | None
    next: str | None
    predicted: Literal[True] | UnsetType = UNSET
    """`next` is a guess."""
    inside: tuple[str, ...]
    file: str | None
    line: int | None
    ms: float | None
    loss: float | None
    loss_is: Literal["nan", "inf", "-inf"] | UnsetType = UNSET
    skipped: Literal[True] | UnsetType = UNSET
    reason: TraceReason | UnsetType = UNSET
    failure: Failure | UnsetType = UNSET
    effects: tuple[Effect, ...] | UnsetType = UNSET
    fingerprint_algorithms: dict[str, str] | UnsetType = UNSET
    """Only in the first line of a rank that has fingerprints."""
    fingerprints: dict[str, str | None] | UnsetType = UNSET


def line(traced: Traced) -> bytes:
    """The boundary as JSON, with a newline at its end."""
    boundary = traced.boundary
    loss = boundary.loss
    finite = loss is None or math.isfinite(loss)
    written = Line(
        boundary=boundary.index,
        rank=boundary.rank,
        pid=traced.pid,
        epoch=boundary.epoch,
        update=boundary.update,
        done=boundary.done,
        next=boundary.next,
        predicted=True if boundary.predicted else UNSET,
        inside=boundary.inside,
        file=boundary.file,
        line=boundary.line,
        ms=None if boundary.done is None else boundary.ms,
        loss=loss if finite else None,
        loss_is=UNSET if finite else _named(loss),
        skipped=True if boundary.skipped else UNSET,
        reason=UNSET if traced.reason is None else traced.reason,
        failure=UNSET if traced.failure is None else Failure(traced.failure.type, traced.failure.message),
        effects=UNSET if traced.effects is None else traced.effects,
        fingerprint_algorithms=UNSET if traced.algorithms is None else traced.algorithms,
        fingerprints=UNSET if traced.fingerprints is None else traced.fingerprints,
    )
    return _escaped(msgspec.json.encode(written)) + b"\n"


def _escaped(encoded: bytes) -> bytes:
    """The same JSON, with escapes for what a terminal would obey or not show (JSON itself only escapes C0)."""
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return "".join(one if one.isprintable() else _escape(one) for one in encoded.decode()).encode()


def _escape(character: str) -> str:
    words = character.encode("utf-16-be").hex()
    return "".join(f"\\u{words[place : place + 4]}" for place in range(0, len(words), 4))


def _named(loss: float | None) -> Literal["nan", "inf", "-inf"]:
    if loss is None or math.isnan(loss):
        return "nan"
    return "inf" if loss > 0 else "-inf"
