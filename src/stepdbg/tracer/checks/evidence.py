"""What is noted for the rules while phases run, since no boundary shows it any more: batches as they come from loaders,
and the first value that is not finite. Nothing of it is noted while no rule looks.
"""

from __future__ import annotations

from collections.abc import Collection

import torch

from stepdbg.protocol.messages import BadValue
from stepdbg.tracer.checks.rules.non_finite import NonFinite
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.nonfinite.explained import explained
from stepdbg.tracer.objects.registry import Registry


class Evidence:
    """Notes it, while it is `on`."""

    def __init__(self, registry: Registry, nonfinite: Checks) -> None:
        self._registry, self._nonfinite = registry, nonfinite
        self.scaling = nonfinite.scaling
        """What is done to gradients between backward and step."""

    def note(self, on: bool, rules: Collection[str] | None = None) -> None:
        """Note from now on, or no more, what these rules need; all, where none are named."""
        self._registry.newest.fetching.on = on
        self._nonfinite.look_for_rules(on and (rules is None or NonFinite.name in rules))

    def explain(self, loss: torch.Tensor | None) -> BadValue | None:
        """What is not finite and was found since the boundary before, or in that loss."""
        checks = self._nonfinite
        if loss is not None and checks.for_rules:
            return explained(checks, self._registry, loss)
        return explained(checks, self._registry) if checks.found is not None and not checks.number else None
