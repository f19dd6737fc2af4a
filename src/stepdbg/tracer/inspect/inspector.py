"""Answers, at a stop, what the screen asks: the tree of objects, figures, windows of numbers, optimizers, edits.

Every look happens in the training thread, under `no_grad`, and changes nothing that is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import torch

from stepdbg.listing.effect_names import Newest
from stepdbg.listing.tree import marked
from stepdbg.protocol import messages as m
from stepdbg.tracer.edit.editor import Editor, Refused
from stepdbg.tracer.effects.before_copies import Deltas
from stepdbg.tracer.effects.effects import Picture
from stepdbg.tracer.foresight.foresight import Foreseer
from stepdbg.tracer.foresight.gradient_scaling import Treatment
from stepdbg.tracer.foresight.step_progress import Midstep
from stepdbg.tracer.graph.graphs import Graphs
from stepdbg.tracer.inspect import heatmaps as heat
from stepdbg.tracer.inspect import tensor as looking
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.inspect.images import pictures
from stepdbg.tracer.inspect.objects import ModelTree
from stepdbg.tracer.inspect.owners import identify
from stepdbg.tracer.inspect.save import save
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group, states_of
from stepdbg.tracer.introspect.plain import key_in_words, plain
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.variable_names import is_a
from stepdbg.tracer.phases.tracker import Course
from stepdbg.tracer.python.console import Console
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.python.variables import Variables
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import Unreadable, elements_of, shape_of, why_unreadable

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
        interruptions = Interruptions(tell_signal)
        self._editor = Editor(registry, interruptions)
        self._figures = Figures()
        self._graphs = Graphs(registry)
        self._foreseer = Foreseer(registry, treatment)
        self._tree = ModelTree(registry, self._many)
        self._newest = Newest()
        self._stack: list[FrameType] = []
        self._together: dict[str, str] = {}
        """At an inner boundary: the labels of its tensors, by name."""
        self._variables = Variables(registry)
        self._console = Console(registry, self._variables, interruptions)

    @property
    def edited(self) -> bool:
        """Whether something was changed at this stop."""
        return self._editor.changed or self._console.used

    def open(
        self,
        stack: list[FrameType],
        boundary: m.Boundary,
        picture: Picture,
        effects: Sequence[m.Effect],
        *,
        gradients: bool,
        inner: m.Inner | None = None,
        coming: Any = None,
        midstep: Midstep | None = None,
    ) -> None:
        """Training has stopped here.

        Args:
            stack: Its frames, innermost first.
            boundary: Where.
            picture: Of everything alive.
            effects: What the phase done did.
            gradients: It records for autograd.
            inner: What has just been done within a phase: its tensors are shown side by side.
            coming: The model or optimizer whose phase comes next; None where that is not known.
            midstep: The step that training waits inside of.
        """
        self._tree.open(effects)
        self._newest.keep(boundary.index, effects)
        self._stack = stack
        self._together = {each.object: each.label for each in inner.tensors} if inner is not None else {}
        self._variables.open(stack)
        self._graphs.open(stack)
        self._console.gradients = gradients
        self._figures.open(picture)
        self._foreseer.open(boundary, picture, self._course.opened_ns(), coming=coming, midstep=midstep)
        self._editor.open(stack, boundary, self._course.pending_backward)

    def close(self) -> None:
        """Training goes on: let go of the frames."""
        self._figures.close()
        self._foreseer.close()
        self._editor.close()
        self._tree.close()
        self._variables.close()
        self._console.close()
        self._graphs.close()
        self._stack = []

    def let_go(self) -> None:
        """Training runs on by itself: keep no rows and no names."""
        self._tree.let_go()
        self._newest.forget()

    def answer(self, query: m.Query) -> m.Result:
        """The answer; a `Refusal` that says why where there is none."""
        try:
            if isinstance(query, m.Evaluate):  # the user's own code
                return self._answer(query)
            with uncollected():
                return self._answer(query)
        except (Refused, Unreadable) as refusal:
            return m.Refusal(str(refusal))
        except Exception as error:
            return m.Refusal(f"{type(query).__name__} failed: {type(error).__name__}: {error}")

    def _answer(self, query: m.Query) -> m.Result:
        match query:
            case m.LookAt() | m.LookAtPictures() | m.ReadGraph() | m.PreviewEdit(frame=None) | m.Save() | m.Find():
                self._variables.make_known(query.object)
            case m.LookBeside(parts=parts):
                for name, _ in parts:
                    self._variables.make_known(name)
            case m.LookAtMaps(objects=names):
                for name in names:
                    self._variables.make_known(name)
        match query:
            case m.ListObjects():
                return self._tree.answer(query)
            case m.Summarise(objects=objects):
                rows = (self._summary(name) or self._tree.within(name) for name in objects)
                return m.Summaries(tuple(row for row in rows if row is not None))
            case m.LookAt():
                return looking.look_at(self._registry, self._deltas, self._figures, query, self._together)
            case m.LookAtMaps():
                return heat.heat_maps(self._registry, query, self._statistics, self._old)
            case m.LookBeside():
                return looking.beside(self._registry, self._deltas, query)
            case m.Find():
                return looking.find_in(self._registry, self._deltas, query)
            case m.LookAtPictures():
                return pictures(self._registry, query)
            case m.Save():
                return save(self._registry, query)
            case m.ListEffects():
                return self._newest.window(query) or m.Refusal("their names are not kept any more")
            case m.ListOptimizers():
                return m.Optimizers(tuple(self._optimizers()), self._registry.leaves.steps)
            case m.Foresee():
                return self._foreseer.answer(query)
            case m.Identify(object=name):
                known = identify(name, self._registry, self._stack, self._figures)
                return known if isinstance(known, m.Refusal) else marked(known, self._tree.marks())
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
        self._tree.forget()
        self._deltas.edited()
        self._graphs.forget()
        self._foreseer.forget()

    def _summary(self, name: str) -> m.Summary | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        marks = self._tree.marks().get(name)
        size = self._figures.norm(name, entry.tensor)
        if size is None:
            return m.Summary(name, marks=marks, unreadable=why_unreadable(entry.tensor))
        found = self._registry.alive.get(f"{name}.grad")
        grad = found.tensor if found is not None else None
        grad_size = self._figures.norm(f"{name}.grad", grad) if grad is not None else None
        finite = abs(size) < float("inf") and (grad_size is None or abs(grad_size) < float("inf"))
        return m.Summary(
            name,
            size,
            grad_size,
            self._deltas.ratio(name, entry.tensor),
            finite,
            marks=marks,
            value=tensors.single(entry.tensor),
            grad_value=tensors.single(grad) if grad is not None else None,
        )

    def _many(self, names: Sequence[str], order: m.Order) -> list[float | None]:
        """One figure of each of these."""
        alive = self._registry.alive
        entries = [(name, alive.get(name)) for name in names]
        named = [(name, entry.tensor) for name, entry in entries if entry is not None and entry.tensor is not None]
        if order == "ratio":
            prints = self._figures.prints
            self._deltas.ratios((name, tensor, prints(name)) for name, tensor in named)
            found: dict[str, float | None] = {name: self._deltas.ratio(name, tensor) for name, tensor in named}
        elif order == "grad":
            hanging = [(name, alive.get(f"{name}.grad")) for name, _ in named]
            grads = [(name, entry.tensor) for name, entry in hanging if entry is not None and entry.tensor is not None]
            norms = self._figures.norms([(f"{name}.grad", grad) for name, grad in grads])
            found = {name: norm for (name, _), norm in zip(grads, norms, strict=True)}
        else:
            found = {name: norm for (name, _), norm in zip(named, self._figures.norms(named), strict=True)}
        return [found.get(name) for name in names]

    # one tensor

    def _statistics(self, name: str) -> m.Statistics | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        return self._figures.statistics(name, entry.tensor)

    def _old(self, name: str) -> torch.Tensor | None:
        kept = self._deltas.old(name)
        return None if kept is None else kept.tensor

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
        states = {id(parameter): state for parameter, state in states_of(optimizer)}
        for index, group in enumerate(groups_of(optimizer)):
            held = parameters_of_group(group)
            groups.append(
                m.ParameterGroup(
                    index=index,
                    hyperparameters=tuple(
                        m.Hyperparameter(
                            name=key_in_words(key),
                            value=_plain(value),
                            object=f"{name}.param_groups[{index}][{plain(key)}]",
                            editable=value is None or is_a(value, (bool, int, float, tuple, str, torch.Tensor)),
                            elements=tuple(map(plain, value)) if type(value) is tuple else (),
                        )
                        for key, value in group.items()
                        if key != "params"
                    ),
                    tensors=len(held),
                    elements=sum(map(elements_of, held)),
                )
            )
            for parameter in held:
                if len(ledger) < _LEDGER:
                    ledger.append(self._ledger_row(name, index, parameter, states.get(id(parameter), {}), names))
        total = sum(group.tensors for group in groups)
        return m.OptimizerInfo(name, type(optimizer).__name__, steps, tuple(groups), tuple(ledger), total - len(ledger))

    def _ledger_row(
        self, optimizer_name: str, group: int, parameter: torch.Tensor, state: dict[Any, Any], names: dict[int, str]
    ) -> m.LedgerRow:
        name = names.get(id(parameter), "?")
        entries = []
        for key, value in tuple(state.items()):
            tensor = value if is_a(value, torch.Tensor) else None
            object_name = f"{optimizer_name}.state[{name}].{key_in_words(key)}"
            size = self._figures.norm(object_name, tensor) if tensor is not None and tensor.dim() else None
            entries.append(m.StateEntry(key=key_in_words(key), object=object_name, text=_plain(value), norm=size))
        return m.LedgerRow(name, group, gradient(parameter) is not None, tuple(entries))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _plain(value: object) -> str:
    """A number as Python writes it, a tensor by its shape."""
    if isinstance(value, torch.Tensor):
        number = tensors.single(value)
        return f"{number:g}" if number is not None else "×".join(map(str, shape_of(value)))
    return plain(value)
