"""The optimizers: their groups with the hyperparameters, and the state that they keep for each parameter."""

from __future__ import annotations

from typing import Any

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.introspect.layout import groups_of, parameters_of_group, states_of
from stepdbg.tracer.introspect.plain import key_in_words, plain
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import elements_of, shape_of

_MOST_ROWS = 2_000
"""Rows of an optimizer's state table that are sent."""


class Optimizers(Handler):
    """Answers `ListOptimizers`."""

    answers = (m.ListOptimizers,)

    def __init__(self, registry: Registry, figures: Figures) -> None:
        self._registry = registry
        self._figures = figures

    def answer(self, query: m.ListOptimizers) -> m.Optimizers:
        """All optimizers, with how often the script has stepped by hand."""
        return m.Optimizers(tuple(self._optimizers()), self._registry.leaves.steps)

    def _optimizers(self) -> list[m.OptimizerInfo]:
        names = {id(e.tensor): name for name, e in self._registry.alive.items() if e.kind == "parameter"}
        return [
            self._optimizer(named.name, named.steps, optimizer, names)
            for named, optimizer in self._registry.optimizers()
        ]

    def _optimizer(self, name: str, steps: int, optimizer: Any, names: dict[int, str]) -> m.OptimizerInfo:
        groups: list[m.ParameterGroup] = []
        state_table: list[m.StateRow] = []
        states = {id(parameter): state for parameter, state in states_of(optimizer)}
        for index, group in enumerate(groups_of(optimizer)):
            parameters = parameters_of_group(group)
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
                    tensors=len(parameters),
                    elements=sum(map(elements_of, parameters)),
                )
            )
            for parameter in parameters:
                if len(state_table) < _MOST_ROWS:
                    state_table.append(self._state_row(name, index, parameter, states.get(id(parameter), {}), names))
        total = sum(group.tensors for group in groups)
        return m.OptimizerInfo(
            name, type(optimizer).__name__, steps, tuple(groups), tuple(state_table), total - len(state_table)
        )

    def _state_row(
        self, optimizer_name: str, group: int, parameter: torch.Tensor, state: dict[Any, Any], names: dict[int, str]
    ) -> m.StateRow:
        name = names.get(id(parameter), "?")
        entries = []
        for key, value in tuple(state.items()):
            tensor = value if is_a(value, torch.Tensor) else None
            object_name = f"{optimizer_name}.state[{name}].{key_in_words(key)}"
            size = self._figures.norm(object_name, tensor) if tensor is not None and tensor.dim() else None
            entries.append(m.StateEntry(key=key_in_words(key), object=object_name, text=_plain(value), norm=size))
        return m.StateRow(name, group, gradient(parameter) is not None, tuple(entries))


def _plain(value: object) -> str:
    """A number as Python writes it, a tensor by its shape."""
    if isinstance(value, torch.Tensor):
        number = tensors.single(value)
        return f"{number:g}" if number is not None else "×".join(map(str, shape_of(value)))
    return plain(value)
