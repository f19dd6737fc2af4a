"""Answers, at a stop, what the screen asks: the tree of objects, figures, windows of numbers, optimizers, edits.

Every look happens in the training thread, under `no_grad`, and changes nothing that is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import nn

from stepdbg.protocol import messages as m
from stepdbg.tracer import heat, tensors
from stepdbg.tracer.console import Console
from stepdbg.tracer.course import Course
from stepdbg.tracer.deltas import Deltas
from stepdbg.tracer.edits import Editor, Refused
from stepdbg.tracer.effects import Picture
from stepdbg.tracer.figures import Figures
from stepdbg.tracer.foresight import Foreseer
from stepdbg.tracer.graph import Graphs
from stepdbg.tracer.identity import identify
from stepdbg.tracer.pictures import pictures
from stepdbg.tracer.registry import Alive, Registry, gradient
from stepdbg.tracer.saving import save
from stepdbg.tracer.treatment import Treatment
from stepdbg.tracer.variables import Variables

_LEDGER = 2_000
"""Rows of an optimizer's ledger that are sent."""


class Desk:
    """Where questions are answered while training waits."""

    def __init__(
        self,
        registry: Registry,
        course: Course,
        deltas: Deltas,
        treatment: Treatment,
        tell_signal: Callable[[int], None],
    ) -> None:
        self.readonly = False
        self._registry = registry
        self._course = course
        self._deltas = deltas
        self._editor = Editor(registry)
        self._figures = Figures()
        self._graphs = Graphs(registry)
        self._foreseer = Foreseer(registry, treatment)
        self._stack: list[FrameType] = []
        self._together: dict[str, str] = {}
        """At an inner boundary: the labels of its tensors, by name."""
        self._variables = Variables(registry)
        self._console = Console(registry, self._variables, tell_signal)

    @property
    def edited(self) -> bool:
        """Whether something was changed at this stop."""
        return self._editor.changed or self._console.used

    def open(
        self,
        stack: list[FrameType],
        boundary: m.Boundary,
        picture: Picture,
        *,
        gradients: bool,
        inner: m.Inner | None = None,
    ) -> None:
        """Training has stopped here, with this picture of everything.

        Args:
            stack: Its frames, innermost first.
            boundary: Where.
            picture: Of everything alive.
            gradients: It records for autograd.
            inner: What has just been done within a phase: its tensors are shown side by side.
        """
        self._stack = stack
        self._together = {each.object: each.label for each in inner.tensors} if inner is not None else {}
        self._variables.open(stack)
        self._graphs.open(stack)
        self._console.gradients = gradients
        self._figures.open(picture)
        self._foreseer.open(boundary, picture, self._course.opened_ns())
        self._editor.open(stack, boundary, self._course.pending_backward)

    def close(self) -> None:
        """Training goes on: let go of the frames."""
        self._figures.close()
        self._foreseer.close()
        self._editor.close()
        self._variables.close()
        self._console.close()
        self._graphs.close()
        self._stack = []

    def answer(self, query: m.Query) -> m.Result:
        """The answer; a `Refusal` that says why where there is none."""
        try:
            return self._answer(query)
        except Refused as refusal:
            return m.Refusal(str(refusal))
        except Exception as error:
            return m.Refusal(f"{type(query).__name__} failed: {type(error).__name__}: {error}")

    def _answer(self, query: m.Query) -> m.Result:
        match query:
            case m.LookAt() | m.LookAtPictures() | m.ReadGraph() | m.PreviewEdit(frame=None) | m.Save():
                self._variables.make_known(query.object)
            case m.LookAtMaps(objects=names):
                for name in names:
                    self._variables.make_known(name)
        match query:
            case m.ListObjects():
                return m.Objects(self._registry.version, tuple(self._rows()))
            case m.Summarise(objects=objects):
                return m.Summaries(tuple(row for name in objects if (row := self._summary(name)) is not None))
            case m.LookAt():
                return self._view(query)
            case m.LookAtMaps():
                return heat.heat_maps(self._registry, query, self._statistics)
            case m.LookAtPictures():
                return pictures(self._registry, query)
            case m.Save():
                return save(self._registry, query)
            case m.ListOptimizers():
                return m.Optimizers(tuple(self._optimizers()))
            case m.Foresee():
                return self._foreseer.answer(query)
            case m.Identify(object=name):
                return identify(name, self._registry, self._stack, self._figures)
            case m.ReadGraph():
                return self._graphs.read(query)
            case m.PreviewEdit() | m.ApplyEdit() | m.UndoEdit():
                if not isinstance(query, m.PreviewEdit):
                    self._forget()
                if self.readonly:
                    return m.Refusal("this session is read-only; start it without --readonly to edit")
                return self._edit(query)
            case m.ListLocals(frame=frame):
                return self._variables.listed(frame)
            case m.Evaluate(frame=frame, source=source):
                return self._evaluate(frame, source)
            case m.Complete(frame=frame, text=text):
                return self._console.complete(frame, text)
            case _:
                return m.Refusal(f"a training process does not answer {type(query).__name__}")

    def _evaluate(self, frame: int, source: str) -> m.Result:
        """Run it, and look anew at what there is: it may have changed anything."""
        if self.readonly:
            return m.Refusal("this session is read-only, and Python can change anything; start it without --readonly")
        self._forget()
        result = self._console.evaluate(frame, source)
        self._registry.refresh(self._stack, pending_backward=self._course.pending_backward)
        return result

    def _edit(self, query: m.PreviewEdit | m.ApplyEdit | m.UndoEdit) -> m.Result:
        result = self._editor.answer(query)
        if isinstance(result, m.EditDone):  # a name may lead to another value now, or to none
            self._registry.refresh(self._stack, pending_backward=self._course.pending_backward)
        return result

    def _forget(self) -> None:
        """Something is about to be changed."""
        self._figures.forget()
        self._graphs.forget()
        self._foreseer.forget()

    # the tree

    def _rows(self) -> list[m.ObjectRow]:
        owners = {
            id(parameter): f"{named.name}[{index}]"
            for named, optimizer in self._registry.optimizers()
            for index, group in enumerate(optimizer.param_groups)
            for parameter in group["params"]
        }
        rows: list[m.ObjectRow] = []
        listed: set[str] = set()

        def leaf(name: str, depth: int) -> None:
            entry = self._registry.alive.get(name)
            if entry is None or entry.tensor is None or name in listed:
                return
            listed.add(name)
            node: m.Node = "parameter" if entry.kind == "parameter" else "buffer"
            label = name.rsplit(".", 1)[-1]
            rows.append(self._row(name, label, node, depth, entry, "", owners.get(id(entry.tensor), "")))

        def walk(module: nn.Module, name: str, label: str, depth: int, seen: set[int]) -> None:
            seen.add(id(module))
            count = sum(parameter.numel() for parameter in module.parameters())
            rows.append(
                m.ObjectRow(
                    name=name,
                    label=label,
                    node="module" if depth else "model",
                    depth=depth,
                    cls=type(module).__name__,
                    elements=count,
                    bytes=sum(parameter.nbytes for parameter in module.parameters()),
                )
            )
            for path in (*module._parameters, *module._buffers):
                leaf(f"{name}.{path}", depth + 1)
            for path, child in module.named_children():
                if id(child) not in seen:
                    walk(child, f"{name}.{path}", path, depth + 1, seen)

        for name, model in self._registry.models():
            walk(model, name, name, 0, set())
        loose = [
            name
            for name, entry in self._registry.alive.items()
            if entry.kind == "parameter" and name not in listed and entry.tensor is not None
        ]
        if loose:
            rows.append(m.ObjectRow(name=" parameters", label="in no model", node="group", depth=0))
            for name in loose:
                leaf(name, 1)
        moving = [(name, e) for name, e in self._registry.alive.items() if e.kind in ("batch", "output", "loss")]
        if moving:
            rows.append(m.ObjectRow(name=" variables", label="in this update", node="group", depth=0))
            rows += [self._row(name, name, "variable", 1, entry, entry.kind, "") for name, entry in moving]
        return rows

    def _row(self, name: str, label: str, node: m.Node, depth: int, entry: Alive, cls: str, owner: str) -> m.ObjectRow:
        tensor = entry.tensor
        assert tensor is not None
        return m.ObjectRow(
            name=name,
            label=label,
            node=node,
            depth=depth,
            cls=cls,
            shape=tuple(tensor.shape),
            dtype=_short(tensor.dtype),
            device=str(tensor.device),
            elements=tensor.numel(),
            bytes=tensor.numel() * tensor.element_size(),
            trainable=tensor.requires_grad,
            owner=owner,
            also=self._registry.also.get(name, ()),
        )

    def _summary(self, name: str) -> m.Summary | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        size = self._figures.norm(name, entry.tensor)
        if size is None:
            return m.Summary(name)
        found = self._registry.alive.get(f"{name}.grad")
        grad = found.tensor if found is not None else None
        grad_size = self._figures.norm(f"{name}.grad", grad) if grad is not None else None
        finite = abs(size) < float("inf") and (grad_size is None or abs(grad_size) < float("inf"))
        return m.Summary(
            name,
            size,
            grad_size,
            self._deltas.ratios.get(name),
            finite,
            value=tensors.single(entry.tensor),
            grad_value=tensors.single(grad) if grad is not None else None,
        )

    # one tensor

    def _view(self, query: m.LookAt) -> m.Result:
        entry = self._registry.alive.get(query.object)
        if entry is None:
            return m.Refusal(f"{query.object} is not there at this stop{_why_gone(query.object)}")
        tensor = entry.tensor
        if tensor is None:
            return m.Refusal(f"{query.object} is no tensor but {entry.value!r}")
        value, note = tensors.readable(tensor)
        parts = tuple(
            m.TensorPart(label, name, self._statistics(name) if query.statistics else None, self._shape(name))
            for label, name in self._family(query.object, entry)
        )
        return m.TensorView(
            object=query.object,
            kind=entry.kind,
            shape=tuple(tensor.shape),
            dtype=_short(tensor.dtype),
            device=str(tensor.device),
            bytes=tensor.numel() * tensor.element_size(),
            requires_grad=tensor.requires_grad,
            version=-1 if tensor.is_inference() else tensor._version,
            grad_fn=type(tensor.grad_fn).__name__ if tensor.grad_fn is not None else "",
            parts=parts,
            statistics=next((part.statistics for part in parts if part.object == query.object), None),
            histogram=tensors.histogram(value, query.bins) if query.bins and value is not None else None,
            window=None
            if value is None or not query.rows
            else tensors.window(value, query.row, query.rows, query.column, query.columns),
            note=note,
        )

    def _family(self, name: str, entry: Alive) -> list[tuple[str, str]]:
        """The value, its gradient and its optimizer state, from any one of them."""
        if entry.kind == "variable" and name in self._together:
            together = self._together.items()
            return [(label, other) for other, label in together if other in self._registry.alive]
        base = name
        if entry.kind == "grad":
            base = entry.owner
        elif entry.kind == "state":
            base = name[name.index("[") + 1 : name.rindex("]")]
        if base not in self._registry.alive:
            return [("value", name)]
        parts = [("value", base)]
        if f"{base}.grad" in self._registry.alive:
            parts.append(("grad", f"{base}.grad"))
        for other, state in self._registry.alive.items():
            if state.kind == "state" and state.tensor is not None and f".state[{base}]." in other:
                parts.append((other.rsplit(".", 1)[-1], other))
        return parts

    def _shape(self, name: str) -> tuple[int, ...]:
        tensor = self._registry.alive[name].tensor
        return tuple(tensor.shape) if tensor is not None else ()

    def _statistics(self, name: str) -> m.Statistics | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        return self._figures.statistics(name, entry.tensor)

    # optimizers

    def _optimizers(self) -> list[m.OptimizerInfo]:
        names = {id(e.tensor): name for name, e in self._registry.alive.items() if e.kind == "parameter"}
        return [
            self._optimizer(named.name, named.steps, optimizer, names)
            for named, optimizer in self._registry.optimizers()
        ]

    def _optimizer(self, name: str, steps: int, optimizer: Any, names: dict[int, str]) -> m.OptimizerInfo:
        groups: list[m.ParameterGroup] = []
        ledger: list[m.LedgerRow] = []
        for index, group in enumerate(optimizer.param_groups):
            groups.append(
                m.ParameterGroup(
                    index=index,
                    hyperparameters=tuple(
                        m.Hyperparameter(
                            name=str(key),
                            value=_plain(value),
                            object=f"{name}.param_groups[{index}][{key!r}]",
                            editable=value is None or isinstance(value, (bool, int, float, tuple, str, torch.Tensor)),
                            elements=tuple(map(repr, value)) if type(value) is tuple else (),
                        )
                        for key, value in group.items()
                        if key != "params"
                    ),
                    tensors=len(group["params"]),
                    elements=sum(parameter.numel() for parameter in group["params"]),
                )
            )
            for parameter in group["params"]:
                if len(ledger) < _LEDGER:
                    ledger.append(self._ledger_row(name, index, parameter, optimizer, names))
        total = sum(len(group["params"]) for group in optimizer.param_groups)
        return m.OptimizerInfo(name, type(optimizer).__name__, steps, tuple(groups), tuple(ledger), total - len(ledger))

    def _ledger_row(
        self, optimizer_name: str, group: int, parameter: torch.Tensor, optimizer: Any, names: dict[int, str]
    ) -> m.LedgerRow:
        name = names.get(id(parameter), "?")
        state = optimizer.state.get(parameter, {})
        entries = []
        for key, value in state.items() if isinstance(state, dict) else ():
            tensor = value if isinstance(value, torch.Tensor) else None
            object_name = f"{optimizer_name}.state[{name}].{key}"
            size = self._figures.norm(object_name, tensor) if tensor is not None and tensor.dim() else None
            entries.append(m.StateEntry(key=str(key), object=object_name, text=_plain(value), norm=size))
        return m.LedgerRow(name, group, gradient(parameter) is not None, tuple(entries))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _plain(value: object) -> str:
    """A number as Python writes it, a tensor by its shape."""
    if isinstance(value, torch.Tensor):
        if value.numel() == 1:
            return f"{value.item():g}"
        return "×".join(str(size) for size in value.shape)
    return repr(value)


def _why_gone(name: str) -> str:
    if name.endswith(".grad"):
        return ": the gradient is None until the next backward writes it"
    if ".state[" in name:
        return ": the optimizer creates its state at its first step"
    return ""
