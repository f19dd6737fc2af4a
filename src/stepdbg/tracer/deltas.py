"""How much a step moved each parameter, relative to its size: ‖Δw‖ / ‖w‖.

The figure is the customary check of a learning rate (around 1e-3 is healthy). The parameters before the step are copied
only while somebody steps, and only where the copies are small against what is free. A figure holds until the next step
of an optimizer that holds the parameter: where nobody watched that one, there is none.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from stepdbg.tracer.registry import Registry
from stepdbg.tracer.tensors import norm

LIMIT = 256 * 1024 * 1024
"""Bytes of parameters that are copied at the most."""


class _Copy(NamedTuple):
    """A parameter before a step."""

    tensor: torch.Tensor
    steps: int
    """Of the optimizers that hold it."""
    version: int


class _Ratio(NamedTuple):
    """A figure, and the step that it is of."""

    value: float
    steps: int
    version: int
    """Tells the steps of a parameter apart that no optimizer holds."""


class Deltas:
    """The copies before a step, and the ratios after it."""

    def __init__(self) -> None:
        self._ratios: dict[str, _Ratio] = {}
        self._copies: dict[str, _Copy] = {}

    def ratio(self, name: str) -> float | None:
        """Of that parameter's last step; None where that was not watched."""
        found = self._ratios.get(name)
        return None if found is None else found.value

    def before_step(self, registry: Registry) -> None:
        """Copy the parameters, if they are small enough."""
        parameters = _parameters(registry)
        if sum(tensor.nbytes for tensor in parameters.values()) <= LIMIT:
            steps = registry.steps()
            self._copies = {
                name: _Copy(tensor.detach().clone(), steps.get(id(tensor), 0), tensor._version)
                for name, tensor in parameters.items()
            }

    def after_step(self, registry: Registry) -> None:
        """Work out the ratios of what has been stepped, and drop the copies."""
        steps = registry.steps()
        for name, tensor in _parameters(registry).items():
            old, now = self._copies.get(name), steps.get(id(tensor), 0)
            if old is None or (id(tensor) in steps and old.steps == now and old.version == tensor._version):
                continue  # it is another optimizer that has stepped; what none holds has been moved by 0
            if size := norm(old.tensor):
                self._ratios[name] = _Ratio(norm(tensor.detach() - old.tensor) / size, now, tensor._version)
        self._copies = {}

    def forget_old(self, registry: Registry) -> None:
        """Drop the figures of parameters that have been stepped since, with nobody looking."""
        steps, parameters = registry.steps(), _parameters(registry)
        self._ratios = {
            name: ratio
            for name, ratio in self._ratios.items()
            if (tensor := parameters.get(name)) is not None
            and (ratio.steps == steps[id(tensor)] if id(tensor) in steps else ratio.version == tensor._version)
        }


def _parameters(registry: Registry) -> dict[str, torch.Tensor]:
    """Those that can be copied."""
    return {
        name: entry.tensor
        for name, entry in registry.alive.items()
        if entry.kind == "parameter"
        and entry.tensor is not None
        and entry.tensor.layout is torch.strided
        and not entry.tensor.is_inference()
    }
