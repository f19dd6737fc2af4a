"""How much a step moved each parameter, relative to its size: ‖Δw‖ / ‖w‖.

The figure is the customary check of a learning rate (around 1e-3 is healthy). The parameters before the step are copied
only while somebody steps, and only where the copies are small against what is free.
"""

from __future__ import annotations

import torch

from stepdbg.tracer.registry import Registry
from stepdbg.tracer.tensors import norm

LIMIT = 256 * 1024 * 1024
"""Bytes of parameters that are copied at the most."""


class Deltas:
    """The copies before a step, and the ratios after it."""

    def __init__(self) -> None:
        self.ratios: dict[str, float] = {}
        """Of the last step that was watched, by name of the parameter."""
        self._copies: dict[str, torch.Tensor] = {}

    def before_step(self, registry: Registry) -> None:
        """Copy the parameters, if they are small enough."""
        parameters = {
            name: entry.tensor.detach()
            for name, entry in registry.alive.items()
            if entry.kind == "parameter" and entry.tensor is not None and entry.tensor.layout is torch.strided
        }
        if sum(tensor.nbytes for tensor in parameters.values()) <= LIMIT:
            self._copies = {name: tensor.clone() for name, tensor in parameters.items()}

    def after_step(self, registry: Registry) -> None:
        """Work the ratios out and drop the copies."""
        self.ratios = {}
        for name, old in self._copies.items():
            entry = registry.alive.get(name)
            if entry is not None and entry.tensor is not None and (size := norm(old)):
                self.ratios[name] = norm(entry.tensor.detach() - old) / size
        self._copies = {}
