"""Why autograd has refused a backward: what was written since it was saved, which backward had freed the graph before,
why a loss has no graph.

torch's own words give a shape and two version numbers. The graph is still there: it is walked as it was left, and what
is not certain is not told.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from types import FrameType
from typing import Any, NamedTuple

import torch

from stepdbg.tracer.graph.forward_lines import line_that_cuts, line_that_writes
from stepdbg.tracer.graph.saved_tensors import Kinds, saved_by
from stepdbg.tracer.graph.walk import Walk, node_of
from stepdbg.tracer.graph.why_no_graph import why_none
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, states_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.variable_uses import cut_before, lines_that_call, lines_that_write
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.outliving import Named
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.unwrap import key_of
from stepdbg.tracer.objects.variable_names import reachable_tensors
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.tensors.readable import address_of

_WRITTEN = re.compile(r"is at version (\d+); expected version (\d+)")
_SHAPE = re.compile(r"\[torch\.\w+ \[([\d, ]*)\]\]")
_FREED = "backward through the graph a second time"
_NO_GRAPH = "does not require grad and does not have a grad_fn"
_ENGINE = "_engine_run_backward"
"""torch's function that every backward passes through; its first argument is what backward was called on."""
_AT_MOST = 0.5
"""Seconds that are spent on it."""
_NAMES = 3
"""The number of tensors that are named at most."""
_REACHABLE = 2_000
"""The number of tensors looked at that variables lead to."""


class _Saved(NamedTuple):
    """A tensor that a node has saved and that was written since."""

    name: str
    node: int
    """The sequence number of the node."""


class Refusal:
    """A backward that autograd has refused, and why."""

    def __init__(self, stack: Sequence[FrameType], registry: Registry, phases: PhaseTracker) -> None:
        self._registry, self._phases, self._stack = registry, phases, stack
        self._roots = _roots(stack)
        self._around = [
            *((name, one.tensor) for name, one in registry.alive.items() if one.tensor is not None),
            *islice(reachable_tensors(frames.scopes(list(stack))), _REACHABLE),
        ]
        self._kinds = Kinds()
        self._until = time.perf_counter() + _AT_MOST

    def why(self, words: str) -> str:
        """The reason; empty where it is not certain.

        Args:
            words: torch's own.
        """
        with torch._C.DisableTorchFunctionSubclass():
            if _NO_GRAPH in words:
                return self._without_graph()
            if _FREED in words:
                return self._freed()
            if (versions := _WRITTEN.search(words)) is not None:
                return self._written(int(versions[1]), int(versions[2]), _shape_in(words))
        return ""

    def _walked(self, roots: Iterable[Any]) -> Walk | None:
        """The graph behind these; None where it is too large."""
        walk = Walk(self._kinds)
        for root in roots:
            for _ in walk.from_root(root):
                if time.perf_counter() > self._until:
                    return None
        return walk

    def _without_graph(self) -> str:
        """Why a tensor that backward was called on has no graph."""
        if len(self._roots) != 1 or not is_a(tensor := self._roots[0], torch.Tensor) or node_of(tensor) is not None:
            return ""
        name = next((name for name, one in self._around if one is tensor), "")
        if not name:
            return ""
        others = [(name, one) for name, one in self._around if one is not tensor]
        why = why_none(name, "loss", tensor, others).partition(". ")[0].rstrip(".")
        holds = self._holding(name, tensor)
        if holds is None or tensor.requires_grad or not tensor.is_floating_point() or tensor.is_inference():
            return why
        trained = [one.tensor for one in self._registry.alive.values() if one.kind == "parameter"]
        if trained and not any(one is not None and one.requires_grad for one in trained):
            return f"{name} has no graph: none of the parameters requires a gradient"
        cut = cut_before(holds.f_code, holds.f_lasti, name, partial(_needs_grad, holds))
        if cut is None:
            inside = line_that_cuts(holds, name)
            if inside is None:
                return why
            does = f"computes {inside.what}" if inside.what.startswith("under") else f"cuts it by {inside.what}"
            return f"{name} has no graph: line {inside.number}, in {inside.function}, {does}"
        made = "it" if cut.variable == name else cut.variable
        return f"{name} has no graph: line {cut.line} makes {made} {cut.how}"

    def _holding(self, name: str, tensor: Any) -> FrameType | None:
        """The innermost of the user's frames in which a variable of that name holds that tensor."""
        own = (frame for frame in self._stack if frames.origin(frame.f_code.co_filename) == "user")
        return next((frame for frame in own if frames.local_variable(frame, name, None) is tensor), None)

    def _other_lines(self, name: str, root: torch.Tensor) -> str:
        """The line in which the user's own function calls backward on that variable, besides where it is now."""
        frame = self._holding(name, root)
        lines = lines_that_call(frame.f_code, name, "backward") if frame is not None else ()
        others = [line for line in lines if frame is not None and line != frame.f_lineno]
        return f" (line {others[0]})" if len(others) == 1 else ""

    # written since

    def _written(self, now: int, expected: int, shape: tuple[int, ...] | None) -> str:
        walk = self._walked(_nodes_of(self._roots))
        if walk is None:
            return ""
        found: list[_Saved] = []
        by_memory = {address: name for name, one in reversed(self._around) if (address := address_of(one))}
        for node, number in zip(walk.nodes, walk.numbers, strict=True):
            if time.perf_counter() > self._until:
                return ""
            for saved in saved_by(node, self._kinds, lambda one: by_memory.get(address_of(one), "")):
                if saved.state == "changed" and (saved.now, saved.version) == (now, expected):
                    if not saved.object:  # it may be the one
                        return self._written_in_a_forward(now, expected)
                    if shape in (saved.shape, None):
                        found.append(_Saved(saved.object, number))
        names = list(dict.fromkeys(one.name for one in found))
        if not 0 < len(names) <= _NAMES:
            return ""
        were = "was" if len(names) == 1 else "were"
        it = "it" if len(names) == 1 else "them"
        writers = {self._writer(one) for one in found}
        by = f" by step of {writer}" if len(writers) == 1 and (writer := writers.pop()) else ""
        saved_it = f"after the graph had saved {it} ({_versions(now, expected)})"
        return f"{_listed(names)} {were} written{by} {saved_it}{self._in_place(names)}"

    def _written_in_a_forward(self, now: int, expected: int) -> str:
        """Of a tensor that no variable holds any more, the line in the forward of a module that writes one in place."""
        line = line_that_writes(model for _, model in self._registry.models())
        if line is None:
            return ""
        what = (
            f"a tensor within the model was written after the graph had saved it (version {now}, saved at {expected})"
        )
        return f"{what}; line {line.number}, in {line.function}, writes {line.what} in place"

    def _in_place(self, names: Sequence[str]) -> str:
        """The lines of the user's own function that write these tensors in place."""
        told = []
        for name in names:
            tensor = next((one for other, one in self._around if other == name), None)
            frame = self._holding(name, tensor) if tensor is not None else None
            if frame is not None and (lines := lines_that_write(frame.f_code, name)):
                told.append(f"; line {lines[0]} writes it in place" if len(lines) == 1 else
                            f"; lines {_listed([*map(str, lines[:_NAMES])])} write it in place")  # fmt: skip
        return told[0] if len(names) == 1 and told else ""

    def _writer(self, saved: _Saved) -> str:
        """The optimizer whose step has certainly written that parameter since."""
        entry = self._registry.alive.get(saved.name)
        parameter = entry.tensor if entry is not None and entry.kind == "parameter" else None
        if parameter is None:
            return ""
        phases = (*self._phases.before, *self._phases.done)
        for place, phase in reversed([*enumerate(phases)]):
            nodes = phase.nodes or _nodes_before(phases[:place]) or self._registry.earlier.nodes_by(phase.update)
            if phase.name != "step" or phase.skipped or saved.node >= nodes:
                continue
            for named, optimizer in self._registry.optimizers():
                if key_of(optimizer) == phase.key and _has_written(named, optimizer, parameter):
                    return named.name
        return ""

    # freed before

    def _freed(self) -> str:
        if len(self._roots) != 1 or not is_a(root := self._roots[0], torch.Tensor):
            return ""
        name = next((name for name, one in self._around if one is root), "the loss")
        earlier = [phase for phase in self._phases.done if phase.name == "backward"][:-1]  # the last one was refused
        if not earlier:
            return self._freed_in_an_update_before(name, root)
        for phase in reversed(earlier):
            if _on(phase) is root:
                return f"backward had already been called on {name}{_at(phase) or self._other_lines(name, root)}"
        if before := self._freed_in_an_update_before(name, root):
            return before
        sharing = [phase for phase in earlier if is_a(other := _on(phase), torch.Tensor) and self._shares(other, root)]
        if len(sharing) == 1:
            other_loss = next((name for name, one in self._around if one is _on(sharing[0])), "another loss")
            return f"the backward of {other_loss}{_at(sharing[0])} had freed what its graph shares with that of {name}"
        if sharing or all(_on(phase) is None for phase in earlier):
            place = _at(earlier[0]) if len(earlier) == 1 else ""
            return f"an earlier backward of this update{place} had freed part of the graph of {name}"
        return ""

    def _freed_in_an_update_before(self, name: str, root: torch.Tensor) -> str:
        """What is freed in a part of the graph that is of an earlier update was so before this one's backward."""
        walk = self._walked(_nodes_of([root]))
        if walk is None:
            return ""
        when = self._registry.earlier.clock()
        found = [update for node, number in zip(walk.nodes, walk.numbers, strict=True)
                 if (update := when(number)) is not None and self._is_freed(node)]  # fmt: skip
        if not found:
            return ""
        first, last = max(found, key=lambda update: update[1])
        into = f"update {last}" if first == last else "an earlier update"
        return f"the graph of {name} goes back into {into}, whose backward had freed it"

    def _shares(self, other: torch.Tensor, root: torch.Tensor) -> bool:
        """Whether the graph of another loss has a part of this one's that is freed.

        What the two share may have been freed by the backward that was refused; but that one came upon something which
        was freed before it, in this update.
        """
        mine, others = self._walked(_nodes_of([root])), self._walked(_nodes_of([other]))
        if mine is None or others is None:
            return False
        return any(self._is_freed(node) for node in others.nodes if mine.index_of(node) >= 0)

    def _is_freed(self, node: Any) -> bool:
        if time.perf_counter() > self._until:
            return False
        return any(saved.state == "freed" for saved in saved_by(node, self._kinds, lambda _: ""))


def _needs_grad(frame: FrameType, name: str) -> bool | None:
    """Whether a variable of that frame holds a tensor that needs a gradient; None where it holds no tensor."""
    value = frames.local_variable(frame, name, None)
    return bool(value.requires_grad) if is_a(value, torch.Tensor) else None


def _nodes_before(phases: Sequence[Phase]) -> int:
    """How many nodes there were at least after these phases: when the newest loss was made whose backward is there."""
    for phase in reversed(phases):
        if phase.name == "backward" and is_a(loss := _on(phase), torch.Tensor) and (node := node_of(loss)) is not None:
            return int(node._sequence_nr())
    return 0


def _on(phase: Phase) -> Any:
    """What a phase's call was made on, if that is known and still there."""
    return phase.on() if phase.on is not None else None


def _at(phase: Phase) -> str:
    return f" (line {phase.place[1]})" if phase.place is not None else ""


def _versions(now: int, expected: int) -> str:
    return f"version {now}, saved at {expected}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _roots(stack: Iterable[FrameType]) -> list[Any]:
    """What the innermost backward was called on."""
    for frame in stack:
        if frame.f_code.co_name == _ENGINE:
            outputs: Any = frames.local_variables(frame).get(frame.f_code.co_varnames[0])
            return list(outputs) if type(outputs) in (list, tuple) else []
    return []


def _nodes_of(roots: Iterable[Any]) -> Iterator[Any]:
    for root in roots:
        if is_a(root, torch.Tensor) and (node := node_of(root)) is not None:
            yield node


def _has_written(named: Named, optimizer: Any, parameter: torch.Tensor) -> bool:
    """Whether the newest step of that optimizer has written that parameter in a way that moves its version."""
    if not any(one is parameter for one in optimized_by(optimizer)):
        return False
    if any(group.get("fused") for group in groups_of(optimizer)):  # it moves no version
        return False
    for one, state in states_of(optimizer):
        steps: Any = state.get("step") if one is parameter else None
        if is_a(steps, (int, torch.Tensor)) and int(steps) == named.steps:
            return True
    return gradient(parameter) is not None


def _shape_in(words: str) -> tuple[int, ...] | None:
    found = _SHAPE.search(words)
    return tuple(int(size) for size in found[1].split(",") if size.strip()) if found is not None else None
