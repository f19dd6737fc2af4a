"""Answers, at a stop, what the screen asks: each question goes to the handler that names its type.

Every look happens in the training thread, under `no_grad`, and changes nothing that is computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stepdbg.protocol import messages as m
from stepdbg.protocol.messages.base import Question
from stepdbg.tracer.edit.editor import Editor
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.foresight.foresight import UpdatePreview
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.graph.graphs import Graphs
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.inspect.effect_names import EffectNames
from stepdbg.tracer.inspect.heatmaps import Maps
from stepdbg.tracer.inspect.images import Images
from stepdbg.tracer.inspect.objects import ModelTree
from stepdbg.tracer.inspect.optimizers import Optimizers
from stepdbg.tracer.inspect.owners import Owners
from stepdbg.tracer.inspect.save import Saves
from stepdbg.tracer.inspect.summaries import Summaries
from stepdbg.tracer.inspect.tensor import Tensors
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.console import Console
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.python.variables import Variables
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors.readable import Unreadable


class Inspector:
    """Answers questions while training waits: each by the handler that names its type."""

    def __init__(
        self,
        registry: Registry,
        copies: BeforeCopies,
        gradient_scaling: GradientScaling,
        interruptions: Interruptions,
        further: Iterable[Handler] = (),
    ) -> None:
        """Answer what is asked.

        Args:
            registry: What is alive.
            copies: What was before a phase.
            gradient_scaling: What was done to the gradients.
            interruptions: Have what does not end interrupted.
            further: Handlers from above this folder.
        """
        self.readonly = False
        self._registry = registry
        self._copies = copies
        self._at: AtStop | None = None
        figures = Figures()
        tree = ModelTree(registry)
        self._variables = Variables(registry)
        self._editor = Editor(registry, interruptions)
        self._console = Console(registry, self._variables, interruptions)
        self._handlers: tuple[Handler, ...] = (
            figures,
            tree,
            Summaries(registry, copies, figures, tree),
            Tensors(registry, copies, figures),
            Maps(registry, copies, figures),
            Images(registry),
            EffectNames(),
            Optimizers(registry, figures),
            Owners(registry, figures, tree.marks),
            Saves(registry),
            Graphs(registry),
            UpdatePreview(registry, gradient_scaling),
            self._editor,
            self._variables,
            self._console,
            *further,
        )
        self._by_question: dict[type[Any], Handler] = {
            question: handler for handler in self._handlers for question in handler.answers
        }

    @property
    def edited(self) -> bool:
        """Whether something was changed at this stop."""
        return self._editor.changed or self._console.used

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self._at = at
        for handler in self._handlers:
            handler.open(at)

    def close(self) -> None:
        """Training goes on: let go of the frames."""
        self._at = None
        for handler in self._handlers:
            handler.close()

    def let_go(self) -> None:
        """Training runs on by itself: keep no rows and no names."""
        for handler in self._handlers:
            handler.let_go()

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
        kind: type[Any] = type(query)
        handler = self._by_question.get(kind)
        if handler is None or not isinstance(query, Question):
            return m.Refusal(f"a training process does not answer {kind.__name__}")
        if self.readonly and kind in handler.readonly:
            return m.Refusal(handler.readonly[kind])
        for name in query.looks_at():
            self._variables.make_known(name)
        if kind not in handler.changes:
            return handler.answer(query)
        for each in self._handlers:
            each.edited()
        self._copies.edited()
        result = handler.answer(query)
        if self._at is not None:  # a name may lead to another value now, or to none
            self._registry.refresh(self._at.stack, pending_backward=self._at.pending_backward)
        return result
