"""The graph behind a tensor, as the answers to `ReadGraph`: the nodes from the loss back to the leaves, the trainable
parameters that it never reaches, and the graphs of earlier updates that are still alive.

Each answer works on for some milliseconds, so that a graph of 100,000 nodes keeps no other question waiting. Nothing is
computed and nothing unpacked through a hook; the garbage collector is held still, since our own many small objects
would else have it run the user's finalisers at another moment.
"""

from __future__ import annotations

import gc
import time
from types import FrameType

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.graph.open_graph import Look
from stepdbg.tracer.graph.saved_tensors import Kinds
from stepdbg.tracer.graph.walk import node_of
from stepdbg.tracer.graph.why_no_graph import why_none
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.variable_names import reachable_tensors

_AT_ONCE = 0.02
"""Seconds that one answer works on."""
_REACHABLE = 2_000
"""The number of tensors looked at that variables lead to."""


class Graphs(Handler):
    """Answers at one stop; `close` lets go of every node."""

    answers = (m.ReadGraph,)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stack: list[FrameType] = []
        self._kinds = Kinds()
        self._look: Look | None = None
        self._reachable: list[tuple[str, torch.Tensor]] | None = None

    def open(self, at: AtStop) -> None:
        """Training has stopped with these frames, innermost first."""
        self._stack = at.stack

    def close(self) -> None:
        """Training goes on."""
        self.edited()
        self._stack = []

    def edited(self) -> None:
        """What is known may be so no longer: something was run."""
        self._look = self._reachable = None

    def answer(self, query: m.ReadGraph) -> m.Result:
        """The rows that are asked for, of what is known by now."""
        collects = gc.isenabled()
        gc.disable()
        try:
            with torch._C.DisableTorchFunctionSubclass():
                return self._read(query)
        finally:
            if collects:
                gc.enable()

    def _read(self, query: m.ReadGraph) -> m.Graph | m.Refusal:
        asked = self._registry.alive.get(query.object) if query.object else None
        if query.object and (asked is None or asked.tensor is None):
            return m.Refusal(f"{query.object} is not there at this stop")
        why, leaf = "", None
        name, tensor = query.object, asked.tensor if asked is not None else None
        if tensor is not None and node_of(tensor) is None and asked is not None:
            why = why_none(query.object, asked.kind, tensor, self._around())
            leaf = tensor if tensor.requires_grad else None
            tensor = None
        if tensor is None:
            name, tensor = self._newest()
        if tensor is None or (root := node_of(tensor)) is None:
            return m.Graph(query.object, why=why or self._why_nothing(), loss_why=self._why_nothing("loss"))
        look = self._look
        if look is None or look.root is not root:
            look = self._look = Look(root, self._registry, self._around(), self._kinds)
        look.work_on(query.opened, time.perf_counter() + _AT_ONCE)
        return look.answer(query, name, tensor, why, leaf)

    def _around(self) -> list[tuple[str, torch.Tensor]]:
        """Tensors by name: what is listed, then what the user's variables lead to."""
        if self._reachable is None:
            listed = [
                (name, entry.tensor)
                for name, entry in self._registry.alive.items()
                if entry.tensor is not None and entry.kind not in ("state", "hyperparameter")
            ]
            known = {id(tensor) for _, tensor in listed}
            for name, tensor in reachable_tensors(frames.scopes(self._stack)):
                if id(tensor) not in known and len(listed) < len(known) + _REACHABLE:
                    listed.append((name, tensor))
            self._reachable = listed
        return self._reachable

    def _newest(self) -> tuple[str, torch.Tensor | None]:
        """The loss or the output that was computed last."""
        found = [
            (node._sequence_nr(), name, tensor)
            for name, _, tensor in self._moving()
            if (node := node_of(tensor)) is not None
        ]
        _, name, tensor = max(found, key=lambda one: one[0], default=(0, "", None))
        return name, tensor

    def _why_nothing(self, *kinds: m.Kind) -> str:
        """Why there is no graph at all; empty where there is nothing, of these kinds, that could have one."""
        sentences = (
            why_none(name, kind, tensor, self._around())
            for name, kind, tensor in self._moving()
            if not kinds or kind in kinds
        )
        return next(sentences, "")

    def _moving(self) -> list[tuple[str, m.Kind, torch.Tensor]]:
        """The loss and the outputs."""
        found = [
            (name, entry.kind, entry.tensor)
            for name, entry in self._registry.alive.items()
            if entry.kind in ("loss", "output") and entry.tensor is not None
        ]
        return sorted(found, key=lambda one: one[1] != "loss")
