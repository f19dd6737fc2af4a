"""Random generators that a data set holds and its workers draw from: each worker has a copy in the same state.

Read off the data set's attributes and the code of its classes: what they name, not what they have done. Where anything
there seeds a generator or asks which worker it runs in, nothing is said.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import torch

from stepdbg.tracer.checks.moment import Place
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.safe_access import attributes_of, entries_of, is_a
from stepdbg.tracer.introspect.variable_uses import lines_that_name

_SEEDING = (
    "seed", "manual_seed", "set_state", "setstate", "get_worker_info", "initial_seed", "spawn", "jumped", "jump",
    "reset", "worker_id", "SeedSequence", "default_rng", "RandomState", "Generator", "Random", "bit_generator",
    "state", "getpid",
)  # fmt: skip
"""Names in the code of a data set or of what workers call first, by which each worker may have a state of its own."""
_ENTRIES = ("__getitem__", "__getitems__", "__iter__", "__next__", "__call__", "forward")
_DEEP = 2


def shared_generators(dataset: Any, worker_init: Any) -> Iterator[tuple[str, str, Place]]:
    """The generators: how the data set holds each (`rng`, `transform.rng`), of which class, and the line that draws."""
    if worker_init is not None:
        return
    owners = [*_owners(dataset, "", 0)]
    codes = _run_in_workers([one for _, owner in owners for one in _codes(type(owner))])
    if any(lines_that_name(code, name) for code in codes for name in _SEEDING):
        return
    for path, owner in owners:
        for step, value in attributes_of(owner):
            if not _is_generator(value):
                continue
            name = step.lstrip(".")
            for code in codes:
                lines = lines_that_name(code, name)
                if lines:
                    kind = type.__dict__["__name__"].__get__(type(value))
                    yield f"{path}{name}", kind, (code.co_filename, lines[0])
                    break


def _owners(value: Any, path: str, deep: int) -> Iterator[tuple[str, Any]]:
    """A data set and the objects of the user's classes that it holds."""
    yield path, value
    if deep >= _DEEP:
        return
    for step, item in attributes_of(value):
        inner: list[tuple[str, Any]] = [(step, item)]
        if is_a(item, (list, tuple)):
            inner = [(f"{step}{place}", one) for place, one in entries_of(item)]
        for name, one in inner:
            if _is_users(type(one)) or hasattr(type(one), "transforms") or "transforms" in _attributes(one):
                yield from _owners(one, f"{path}{name.lstrip('.')}.", deep + 1)


def _attributes(value: Any) -> dict[str, Any]:
    return {step.lstrip("."): item for step, item in attributes_of(value)}


def _is_users(kind: type) -> bool:
    return any(True for _ in _codes(kind))


def _codes(kind: type) -> Iterator[CodeType]:
    """The code of the methods of the user's classes, but for what makes an object of them."""
    for one in type.mro(kind):
        for name, function in vars(one).items():
            if is_a(function, FunctionType) and name != "__init__":
                code = function.__code__
                if frames.origin(code.co_filename) == "user":
                    yield code


def _run_in_workers(codes: list[CodeType]) -> list[CodeType]:
    """Those of these methods that a worker runs: what gives a sample, and what that calls."""
    ahead = [code for code in codes if code.co_name in _ENTRIES]
    found: list[CodeType] = []
    while ahead:
        code = ahead.pop(0)
        if code in found:
            continue
        found.append(code)
        ahead += [inner for inner in code.co_consts if type(inner) is CodeType]
        ahead += [other for other in codes if other.co_name in code.co_names]
    return found


def _is_generator(value: Any) -> bool:
    numpy = sys.modules.get("numpy.random")
    kinds: tuple[type, ...] = (random.Random, torch.Generator)
    if numpy is not None:
        kinds = (*kinds, numpy.Generator, numpy.RandomState)
    return is_a(value, kinds)
