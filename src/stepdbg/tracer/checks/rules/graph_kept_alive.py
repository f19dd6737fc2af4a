"""Graphs of earlier updates are still alive, and with each update there is one more: memory grows.

What the script's variables and the attributes of models hold is walked after each step, along the edges of graphs;
torch's own numbers of the nodes tell the update in which each was made. A graph that is one update old is legal (a
variable that has not been assigned anew yet), and so is a window of a few: told is only what drops none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import kind
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.places import line_that_keeps, lines_that_carry
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.graph.saved_tensors import Kinds, saved_by
from stepdbg.tracer.introspect.layout import groups_of
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.objects.earlier_graphs import Clock

_ENOUGH = 4
"""So many updates before this one have to be alive."""
_MOST_NODES = 50_000
"""Nodes that are walked after a step."""
_MOST_ASKED = 200
"""Nodes of earlier updates that are asked whether what they have saved is freed."""
_ENTRY = re.compile(r"\[[^\[\]]+\]$")


class _Kept(NamedTuple):
    """What a variable, or a list or dictionary, keeps alive."""

    updates: frozenset[int]
    nodes: int
    entries: int
    """The number of tensors, of a list or dictionary; 0 of a variable."""
    number: bool
    """Whether each tensor is a single number."""


class GraphKeptAlive(Rule):
    """The rule `graph-kept-alive`."""

    name = "graph-kept-alive"
    severity = "warning"

    def __init__(self) -> None:
        self._before: dict[str, frozenset[int]] = {}
        """The updates whose graphs each variable kept alive at the step before."""
        self._told_at: dict[str, Place | None] = {}
        """The lines that were told, by the variables."""
        self._left = 0
        """Nodes that may still be walked at this step."""
        self._large = self._unrolled = self._few = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.comes == "backward":
            yield from self._of_freed(moment)
        if moment.done != "step" or moment.inside:
            return
        if any(group.get("differentiable") for _, one in moment.optimizers for group in groups_of(one)):
            self._unrolled = True
            return
        before, self._before, self._left = self._before, {}, _MOST_NODES
        grown = {}
        for name, kept in self._kept(moment):
            self._before[name] = kept.updates
            if len(kept.updates) >= _ENOUGH and kept.updates > before.get(name, frozenset(kept.updates)):
                grown[name] = kept
        roots = [name for name, kept in grown.items() if kept.entries or name in self._told_at or _adds(moment, name)]
        for name in roots or sorted(grown, key=lambda name: grown[name].nodes)[:1]:
            yield self._told(moment, name, grown[name])
        self._few = self._few or moment.updates > _ENOUGH
        self._large = self._large or self._left <= 0

    def forget(self) -> None:
        self._before.clear()

    def right(self) -> str:
        sound = self._few and not (self._large or self._unrolled)
        return "no graph of an earlier update is kept alive" if sound else ""

    def unchecked(self) -> str:
        if self._unrolled:
            return f"{self.name}: steps are differentiated through, which needs the graphs of earlier updates"
        return f"{self.name}: the graphs are too large to be walked whole" if self._large else ""

    def _of_freed(self, moment: Moment) -> Iterator[Finding]:
        """Backward is about to come to nodes of an earlier update whose values that update's backward has freed."""
        graph, clock, kinds = moment.graph, moment.registry.earlier.clock(), Kinds()
        if graph is None:
            return
        earlier = [
            (node, when[1])
            for node in graph.nodes
            if kind(node) != "AccumulateGrad" and (when := clock(node._sequence_nr())) is not None
        ]
        freed = [
            update
            for node, update in earlier[:_MOST_ASKED]
            if any(one.state in ("freed", "changed") for one in saved_by(node, kinds, lambda _: ""))
        ]
        if not freed:
            return
        self._left = _MOST_NODES
        carriers = [name for name, _ in self._kept(moment) if _adds(moment, name)]
        name = carriers[0] if carriers else graph.name
        place = line_that_keeps(moment, name) if carriers else moment.here
        yield self.finding(
            moment,
            f"backward cannot go through the graph of {graph.name}: it leads into that of update {max(freed)}, whose "
            f"values are freed or overwritten",
            objects=[name],
            place=place,
            evidence=f"{len(earlier)} of {len(graph.nodes)} nodes of the graph of {graph.name} were made in earlier "
            f"updates, and what those of update {max(freed)} had saved is freed or overwritten",
            cause=f"{name} is made from its own value of the update before{_where(place)}, with the graph of that"
            if carriers
            else f"{graph.name} is made from what earlier updates have made",
            fix=f"cut the graph between updates: {name} = {name}.detach(); retain_graph=True only hides it",
            severity="error",
        )

    def _kept(self, moment: Moment) -> Iterator[tuple[str, _Kept]]:
        """What keeps nodes of earlier updates alive, by name."""
        clock = moment.registry.earlier.clock()
        roots: dict[str, list[torch.Tensor]] = {}
        entries: dict[str, int] = {}
        for name, tensor in _tensors(moment):
            if tensor.grad_fn is None:
                continue
            holder = name
            while (entry := _ENTRY.search(holder)) is not None:
                holder = holder[: entry.start()]
            roots.setdefault(holder, []).append(tensor)
            entries[holder] = entries.get(holder, 0) + (holder != name)
        for holder, tensors in roots.items():
            updates, nodes = self._walk(tensors, clock)
            if updates:
                number = all(one.numel() == 1 for one in tensors)
                yield holder, _Kept(frozenset(updates), nodes, entries[holder], number)

    def _walk(self, tensors: list[torch.Tensor], clock: Clock) -> tuple[set[int], int]:
        """The earlier updates whose nodes these tensors lead to, and the number of these nodes."""
        ahead: list[Any] = [one.grad_fn for one in tensors]
        seen = set(ahead)
        updates: set[int] = set()
        nodes = 0
        while ahead and self._left > 0:
            node = ahead.pop()
            self._left -= 1
            if type(node).__name__ == "AccumulateGrad":
                continue
            when = clock(node._sequence_nr())
            if when is not None:
                nodes += 1
                updates.add(when[1])
            for other, _ in node.next_functions:
                if other is not None and other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return updates, nodes

    def _told(self, moment: Moment, name: str, kept: _Kept) -> Finding:
        place = self._told_at.setdefault(name, line_that_keeps(moment, name))
        first, last = min(kept.updates), max(kept.updates)
        if kept.entries:
            cause = f"{name} is given tensors with their graphs{_where(place)}, and none of them is let go"
            fix = f"keep numbers: {name}.append(loss.item())" if kept.number else "keep them detached: .detach()"
        else:
            cause = f"{name} is made from its own value of the update before{_where(place)}, with the graph of that"
            fix = (
                f"add numbers: {name} += loss.item()"
                if kept.number
                else f"cut the graph between updates: {name} = {name}.detach()"
            )
        return self.finding(
            moment,
            f"{name} keeps the graphs of earlier updates alive, one more with each: memory grows",
            objects=[name],
            place=place,
            evidence=f"{kept.nodes} nodes of the graphs of updates {first} to {last} are alive in update "
            f"{moment.update}",
            cause=cause,
            fix=fix,
        )


def _adds(moment: Moment, name: str) -> bool:
    """Whether a line of the user's makes a variable or attribute from its own value."""
    return bool(lines_that_carry(moment, name))


def _where(place: Place | None) -> str:
    return f" at {at(place)}" if place is not None else ""


def _tensors(moment: Moment) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that the script's variables lead to, and those that modules keep as attributes, by name."""
    names, seen = moment.registry.scope, set[int]()
    for key, reference in moment.registry.reachable.items():
        tensor = reference()
        if tensor is not None and key in names and not isinstance(tensor, nn.Parameter):
            seen.add(key)
            yield names[key], tensor
    for name, module in moment.modules():
        own = object.__getattribute__(module, "__dict__")
        held = {**{key: one for key, one in own.items() if not key.startswith("_")}, **own.get("_buffers", {})}
        for key, value in held.items():
            for path, tensor in tensors_in(value):
                if id(tensor) not in seen and not isinstance(tensor, nn.Parameter):
                    seen.add(id(tensor))
                    yield f"{name}.{key}{path}", tensor
