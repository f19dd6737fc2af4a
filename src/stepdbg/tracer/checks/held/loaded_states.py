"""What an optimizer was given as its state: which of it fits its parameters, and whose it was before.

torch's `load_state_dict` goes by position, and notes shapes and names of nothing. So each entry is held against its
parameter's shape, the names that a checkpoint has brought along against those of the model, and the bytes against what
the steps of this run have left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.optim import Optimizer

from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group, states_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.tensors.readable import ORDINARY, shape_of

_LIKE_PARAMETER = frozenset(
    ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer", "square_avg", "grad_avg", "acc_delta",
     "sum", "prev", "step_size", "ax")
)  # fmt: skip
"""What torch's own optimizers keep of each parameter in its shape."""
_STATE = re.compile(r"(?P<optimizer>.+?)\.state\[(?P<parameter>.+)\]\.(?P<key>[^\]]+)")
_MOST = 200_000
"""Entries that are remembered."""


class Misfit(NamedTuple):
    """An entry that has another shape than its parameter."""

    parameter: str
    key: str
    shape: tuple[int, ...]
    wanted: tuple[int, ...]


def misfits(moment: Moment, optimizer: Optimizer) -> list[Misfit]:
    """The entries of an optimizer of torch's own that have another shape than their parameters."""
    if not _is_of_torch(optimizer):
        return []
    names = moment.name_of
    return [
        Misfit(names[id(parameter)], key, shape_of(value), shape_of(parameter))
        for parameter, state in states_of(optimizer)
        if type(parameter) in ORDINARY and id(parameter) in names
        for key, value in state.items()
        if key in _LIKE_PARAMETER and type(value) in ORDINARY and shape_of(value) != shape_of(parameter)
    ]


def misnamed(moment: Moment, optimizer: Optimizer) -> dict[str, str]:
    """The parameters of an optimizer for which the checkpoint that it has loaded names another of them, each with that
    one: both by their names within the model.
    """
    if object.__getattribute__(optimizer, "__dict__").get("_optimizer_load_state_dict_pre_hooks"):
        return {}  # which may have put all in order
    said: dict[str, str] = {}
    for group in groups_of(optimizer):
        names, parameters = group.get("param_names"), parameters_of_group(group)
        if type(names) is list and len(names) == len(parameters):
            for name, parameter in zip(names, parameters, strict=True):
                own = moment.name_of.get(id(parameter))
                if own is not None and type(name) is str:
                    said[_path(moment, own)] = name
    return _moved(said)


class Kept:
    """What the steps of this run have left in the states of optimizers: which bytes were whose."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, object], set[str]] = {}
        """Keys and fingerprints of entries, with the parameters that they were of, by their names within the model."""
        self._parameters: dict[object, set[str]] = {}
        """The same of the parameters themselves."""

    def note(self, moment: Moment, name: str, optimizer: Optimizer) -> None:
        """The step of an optimizer is done."""
        if len(self._states) > _MOST:
            return
        for owner, parameter, key, print_ in _entries(moment):
            if owner == name:
                self._states.setdefault((key, print_), set()).add(_path(moment, parameter))
        for parameter in moment.held_by(optimizer):
            record = moment.record(parameter)
            if record is not None and record.print is not None:
                self._parameters.setdefault(record.print, set()).add(_path(moment, parameter))

    def moved(self, moment: Moment, name: str) -> dict[str, str]:
        """The parameters whose state in the optimizer of that name was another's, each with that one."""
        sources: dict[str, set[str]] = {}
        for owner, parameter, key, print_ in _entries(moment):
            if owner != name:
                continue
            path = _path(moment, parameter)
            of = self._states.get((key, print_), set())
            sources[path] = sources.get(path, of) & of
            record = moment.record(parameter)
            there = self._parameters.get(record.print, set()) if record is not None else set()
            sources[path] -= there if path not in there else set()  # it has moved along
        return _moved({path: next(iter(of)) for path, of in sources.items() if len(of) == 1})


def _entries(moment: Moment) -> Iterator[tuple[str, str, str, object]]:
    """The entries of states that are no single numbers: optimizer, parameter, key and fingerprint."""
    for name, one in moment.alive.items():
        if one.kind != "state" or one.tensor is None or not is_a(one.tensor, torch.Tensor) or not one.tensor.dim():
            continue
        found, record = _STATE.fullmatch(name), moment.record(name)
        if found is not None and record is not None and record.print is not None:
            yield one.owner, found["parameter"], found["key"], record.print


def _moved(sources: dict[str, str]) -> dict[str, str]:
    """Those that changed places with each other: each has another's, and each's is another's."""
    moved = {path: source for path, source in sources.items() if source != path}
    while left := {path for path, source in moved.items() if source not in moved or path not in moved.values()}:
        moved = {path: source for path, source in moved.items() if path not in left}
    return moved


def _path(moment: Moment, name: str) -> str:
    """A parameter's name within its model: `fc1.weight`."""
    one = moment.alive.get(name)
    return name.removeprefix(f"{one.owner}.") if one is not None and one.owner else name


def _is_of_torch(optimizer: Optimizer) -> bool:
    return str(type.__dict__["__module__"].__get__(type(optimizer))).startswith("torch.optim.")
