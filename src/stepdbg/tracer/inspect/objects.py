"""The tree of what is alive, as rows: models with their modules, loose parameters, what this update has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from stepdbg.errors import FilterError
from stepdbg.listing.tree import Marked, Tree
from stepdbg.protocol import messages as m
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.readable import dtype_name, elements_of, shape_of


class ModelTree(Handler):
    """Answers `ListObjects`. The rows stay until the registry says that they are others."""

    answers = (m.ListObjects,)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.figures: Callable[[Sequence[str], m.Order], Sequence[float | None]] = lambda names, _: [None] * len(names)
        """Works out a figure of many tensors: the one that they would be sorted by."""
        self._tree = Tree()
        self._made_for: tuple[int, int] | None = None
        self._effects: Sequence[m.Effect] = ()
        self._marks: Marked | None = None
        self._moment = 0

    def open(self, at: AtStop) -> None:
        """Training has stopped after these effects."""
        self._effects, self._marks = at.effects, None
        self._moment += 1

    def edited(self) -> None:
        """Something is being edited: figures may be others."""
        self._made_for = None
        self._moment += 1

    def close(self) -> None:
        """Training goes on."""
        self._effects, self._marks = (), None

    def let_go(self) -> None:
        """Nobody steps any more: keep no rows."""
        self._tree, self._made_for = Tree(), None

    def answer(self, query: m.ListObjects) -> m.Result:
        """The rows asked for."""
        try:
            return self._refreshed().answer(query, self._registry.version, self._moment, self)
        except FilterError as error:
            return m.Refusal(str(error))

    def within(self, name: str) -> m.Summary | None:
        """What was done to anything in a module."""
        found = self._refreshed().within(name, self.marks())
        return None if found is None else m.Summary(name, marks=found)

    def parameters_within(self, name: str) -> list[str]:
        """The names of the parameters in a module."""
        return self._refreshed().parameters_within(name)

    def _refreshed(self) -> Tree:
        registry = self._registry
        made_for = (registry.lasting_version, registry.version)
        if self._made_for is None or self._made_for[0] != registry.lasting_version:
            self._tree = Tree(_lasting_rows(registry))
        if self._made_for != made_for:
            self._tree.follow_with(_moving(registry))
            self._made_for = made_for
        return self._tree

    # facts

    def has_grad(self, name: str) -> bool:
        """Whether a gradient hangs on it."""
        return f"{name}.grad" in self._registry.alive

    def marks(self) -> Marked:
        """What the phase done did, by name."""
        if self._marks is None:
            self._marks = Marked(self._effects)
        return self._marks


_UNMADE = m.ObjectRow("", "", "module", 0)
"""Stands where a module's row is to be, while what is in it is counted."""


def _lasting_rows(registry: Registry) -> list[m.ObjectRow]:
    """Models, and parameters that are in none."""
    owners = {
        id(parameter): f"{named.name}[{index}]"
        for named, optimizer in registry.optimizers()
        for index, group in enumerate(groups_of(optimizer))
        for parameter in parameters_of_group(group)
    }
    rows: list[m.ObjectRow] = []
    listed: set[str] = set()

    alive = registry.alive

    def leaf(name: str, label: str, depth: int) -> m.ObjectRow | None:
        entry = alive.get(name)
        if entry is None or entry.tensor is None or name in listed:
            return None
        listed.add(name)
        node: m.Node = "parameter" if entry.kind == "parameter" else "buffer"
        rows.append(row := _row(registry, name, label, node, depth, entry, "", owners.get(id(entry.tensor), "")))
        return row

    def walk(module: nn.Module, name: str, label: str, depth: int, seen: set[int]) -> tuple[int, int]:
        """Add the module's rows; the elements and bytes of the parameters in it."""
        seen.add(id(module))
        place = len(rows)
        rows.append(_UNMADE)
        elements = size = 0
        for members in (module._parameters, module._buffers):
            for path in members.keys() if len(members) else ():
                row = leaf(f"{name}.{path}", path, depth + 1)
                if row is not None and row.node == "parameter":
                    elements, size = elements + row.elements, size + row.bytes
        if len(module._modules):
            for path, child in module._modules.items():
                if child is not None and id(child) not in seen:
                    inside = walk(child, f"{name}.{path}", path, depth + 1, seen)
                    elements, size = elements + inside[0], size + inside[1]
        node: m.Node = "module" if depth else "model"
        rows[place] = m.ObjectRow(name, label, node, depth, type(module).__name__, elements=elements, bytes=size)
        return elements, size

    for name, model in registry.models():
        walk(model, name, name, 0, set())
    loose = [
        name
        for name, entry in registry.alive.items()
        if entry.kind == "parameter" and name not in listed and entry.tensor is not None
    ]
    if loose:
        rows.append(m.ObjectRow(name=" parameters", label="in no model", node="group", depth=0))
        for name in loose:
            leaf(name, name, 1)
    return rows


def _moving(registry: Registry) -> list[m.ObjectRow]:
    """What this update has made."""
    moving = [(name, e) for name, e in registry.alive.items() if e.kind in ("batch", "output", "loss")]
    if not moving:
        return []
    heading = m.ObjectRow(name=" variables", label="in this update", node="group", depth=0)
    return [heading, *(_row(registry, name, name, "variable", 1, entry, entry.kind, "") for name, entry in moving)]


def _row(
    registry: Registry, name: str, label: str, node: m.Node, depth: int, entry: Alive, cls: str, owner: str
) -> m.ObjectRow:
    tensor = entry.tensor
    assert tensor is not None
    elements = elements_of(tensor)
    return m.ObjectRow(
        name,
        label,
        node,
        depth,
        cls,
        shape_of(tensor),
        dtype_name(tensor.dtype),
        _written(tensor.device),
        elements,
        elements * tensor.dtype.itemsize,
        tensor.requires_grad,
        owner,
        registry.also.get(name, ()),
    )


_DEVICES: dict[torch.device, str] = {}


def _written(device: torch.device) -> str:
    found = _DEVICES.get(device)
    if found is None:
        found = _DEVICES[device] = str(device)
    return found
