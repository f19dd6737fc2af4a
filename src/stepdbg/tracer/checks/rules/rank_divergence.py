"""Replicated parameters differ between ranks.

A rank sees its own half only: it tells the hub the fingerprints of its parameters and gradients at each step, and the
hub holds them against those of the others (`hub/ranks/replicas.py`). Replicas are what a `DistributedDataParallel`
over all ranks holds: shards of one model differ as they are meant to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import xxhash
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stepdbg.protocol.messages import Finding, ReplicaStepped
from stepdbg.tracer.checks.ignored import is_ignored
from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.checks.places import line_that_names
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.checks.rules.duplicate_batch import DuplicateBatch
from stepdbg.tracer.introspect.layout import groups_of, modules_of, parameters_in
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.tensors.readable import ORDINARY

_MOST = 4096
"""Parameters that are told one by one; the others as one."""
_GRADIENTS = ("backward", "unscale", "clip")
_HOOKS = "torch.distributed.algorithms.ddp_comm_hooks"


class RankDivergence(Rule):
    """The rule `rank-divergence`."""

    name = "rank-divergence"

    def __init__(self) -> None:
        self._steps = 0
        self._before: tuple[int, ...] = ()
        self._gradients: tuple[int, ...] = ()
        self._batches: list[int] = []
        self._around = self._unsynced = self._averages = self._unseen = False
        self._model = self._wrapper = ""
        self._script: Place | None = None
        """Where training stood when the script was seen to have written a parameter itself."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return ()
        if torch.distributed.get_world_size() < 2 or not (wrappers := _wrapped(moment)):
            return ()
        if any(map(_has_hooks_of_its_own, wrappers.values())):
            self._averages = True
            return ()
        names = [*dict.fromkeys(name for one in wrappers.values() for name in _parameters(moment, one))]
        self._wrapper = self._wrapper or next(iter(wrappers))
        for name, wrapper in wrappers.items():
            self._see_forward(moment, name, wrapper)
        self._see(moment, wrappers, names)
        if moment.comes == "step" or not self._before:
            self._before = _prints(moment, names)
        if moment.done in _GRADIENTS or moment.comes == "step":
            self._gradients = _prints(moment, [f"{one}.grad" for one in names])
        if moment.done == "step" and not moment.inside and not moment.skipped:
            self._steps += 1
            told = self._stepped(moment, names)
            if not any(_is_ignored(self.name, file, line) for _, file, line in told.places):
                moment.say(told)
            self._before, self._batches, self._script = (), [], None
        return ()

    def forget(self) -> None:
        self._unseen = True

    def unchecked(self) -> str:
        if self._averages:
            return f"{self.name}: gradients are averaged by a hook of the script's, or in longer intervals"
        return ""

    def _see_forward(self, moment: Moment, name: str, wrapper: DistributedDataParallel) -> None:
        """Whether the forward done was one of the wrapper, or went around it."""
        owner = moment.owner
        if moment.done != "forward" or not is_a(owner, nn.Module):
            return
        held = set(map(id, parameters_in(wrapper)))
        if any(id(one) in held for one in parameters_in(owner)):
            self._around = not is_a(owner, DistributedDataParallel)
            inside = (path for path, one in modules_of(wrapper) if one is owner)
            self._wrapper, self._model = name, f"{name}.{next(inside, '')}".rstrip(".")

    def _see(self, moment: Moment, wrappers: Mapping[str, DistributedDataParallel], names: list[str]) -> None:
        """What else the phase done says of why replicas may differ."""
        own = set(names)
        if self._steps and any(one.kind == "parameter" and one.object in own for one in moment.by_script):
            self._script = moment.here
        if moment.done == "data" and moment.fetched is not None:
            self._batches += _prints(moment, [key for key, one in moment.alive.items() if one.kind == "batch"])
        if moment.comes == "backward" and self._wrapper in wrappers:
            self._unsynced = _own(wrappers[self._wrapper]).get("require_backward_grad_sync") is False

    def _stepped(self, moment: Moment, names: list[str]) -> ReplicaStepped:
        optimizer = moment.optimizer
        rates = [group.get("lr") for group in groups_of(optimizer[1])] if optimizer is not None else []
        places: list[tuple[str, Place | None]] = [
            (phase, moment.place_of(phase)) for phase in ("data", "forward", "backward")
        ]
        places += [("step", moment.place), ("script", self._script)]
        if self._steps == 1:
            places.append(("load", line_that_names(moment, "load_state_dict")))
        data = moment.place_of("data")
        if data is not None and _is_ignored(DuplicateBatch.name, *data):
            self._batches = []
        return ReplicaStepped(
            self._steps,
            moment.update,
            moment.boundary.index,
            tuple(names) if len(names) <= _MOST else (*names[:_MOST], f"{len(names) - _MOST} others"),
            self._before,
            self._gradients,
            _prints(moment, names),
            tuple(self._batches),
            ", ".join(f"{one:g}" for one in rates if type(one) in (float, int)),
            optimizer[0] if optimizer is not None else "",
            self._model,
            self._wrapper,
            self._around,
            self._unsynced,
            tuple((phase, *place) for phase, place in places if place is not None),
        )


def _wrapped(moment: Moment) -> dict[str, DistributedDataParallel]:
    """The wrappers over all ranks whose gradients they average, by name."""
    world = torch.distributed.get_world_size()
    names = {id(one): name for name, one in moment.models}
    found: dict[str, DistributedDataParallel] = {}
    seen = set[int]()
    for model in (*(model for _, model in moment.models), *moment.registry.parts):
        for _, module in modules_of(model):
            if is_a(module, DistributedDataParallel) and id(module) not in seen:
                seen.add(id(module))
                group: Any = _own(module).get("process_group")
                wrapper: Any = module
                if group is not None and group.size() == world:
                    name = names.get(id(module)) or moment.registry.scope.get(id(module)) or "the wrapper"
                    found.setdefault(name, wrapper)
    return found


def _is_ignored(rule: str, file: str, line: int) -> bool:
    return is_ignored(Finding(rule, "error", "", file=file, line=line))


def _own(module: nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return found


def _has_hooks_of_its_own(wrapper: DistributedDataParallel) -> bool:
    """Whether anything but torch's own averaging takes place, as far as is known."""
    hooks = [hook for hook, *_ in _own(wrapper).get("_comm_hooks") or ()]
    return any(
        not str(getattr(hook, "__module__", "")).startswith(_HOOKS)
        or "local" in str(getattr(hook, "__name__", "local"))
        for hook in hooks
    )


def _parameters(moment: Moment, wrapper: DistributedDataParallel) -> list[str]:
    """The names of the parameters whose gradients are averaged."""
    ignored = _own(wrapper).get("parameters_to_ignore") or ()
    left_out = {
        id(value)
        for path, module in modules_of(wrapper)
        for key, value in _own(module)["_parameters"].items()
        if f"{path}{key}".removeprefix("module.") in ignored
    }
    names = moment.name_of
    return [
        names[id(one)]
        for one in parameters_in(wrapper)
        if one.requires_grad and type(one) in ORDINARY and id(one) in names and id(one) not in left_out
    ]


def _prints(moment: Moment, names: list[str]) -> tuple[int, ...]:
    """The fingerprints of objects by name; 0 for what is not there."""
    prints = [_number(record.print) if (record := moment.record(name)) is not None else 0 for name in names]
    if len(prints) <= _MOST:
        return tuple(prints)
    rest = xxhash.xxh3_64_intdigest(repr(prints[_MOST:]).encode())
    return (*prints[:_MOST], rest)


def _number(found: object) -> int:
    if type(found) is int:
        return found & 0xFFFF_FFFF_FFFF_FFFF
    return xxhash.xxh3_64_intdigest(repr(found).encode())
