"""How much a step moved each parameter, relative to its size: ‖Δw‖ / ‖w‖.

The figure is the customary check of a learning rate (around 1e-3 is healthy). The parameters before the step are copied
only while somebody steps, and only where the copies are small against what is free. Both the copies and the ratios are
made while the user reads; what is asked for earlier is worked out when it is asked for.
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
        self._ratios: dict[str, float] = {}
        """Of the last step that was watched, by name of the parameter, as far as they are worked out."""
        self._copies: dict[str, torch.Tensor] = {}
        self._stepped = False
        """Whether the copies are from before a step that is done."""

    def before_step(self, registry: Registry) -> None:
        """Copy the parameters, if they are small enough."""
        parameters = {
            name: entry.tensor.detach()
            for name, entry in registry.alive.items()
            if entry.kind == "parameter" and entry.tensor is not None and entry.tensor.layout is torch.strided
        }
        self._stepped = False
        self._copies = {}
        if sum(tensor.nbytes for tensor in parameters.values()) <= LIMIT:
            self._copies = {name: tensor.clone() for name, tensor in parameters.items()}

    def after_step(self) -> None:
        """The step is done: from now on there are ratios of it."""
        self._ratios, self._stepped = {}, True

    def ratio(self, name: str, tensor: torch.Tensor) -> float | None:
        """Of one parameter; None where it was not recorded."""
        if self._stepped and (old := self._copies.pop(name, None)) is not None and (size := norm(old)):
            self._ratios[name] = norm(tensor.detach() - old) / size
        return self._ratios.get(name)

    def forget(self) -> None:
        """Nobody will look at the next step, as far as is known."""
        self._copies = {}

    def settle(self, registry: Registry) -> None:
        """Work out what is left and drop the copies, before the parameters change again."""
        if self._stepped:
            for name in list(self._copies):
                entry = registry.alive.get(name)
                if entry is not None and entry.tensor is not None:
                    self.ratio(name, entry.tensor)
            self._copies = {}
