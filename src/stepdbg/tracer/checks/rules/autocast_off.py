"""A fact: nothing is computed in half precision, though a loss is scaled for it, or a GPU computes in float32."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.checks.rule import Rule


class AutocastOff(Rule):
    """The rule `autocast-off`."""

    name = "autocast-off"
    severity = "info"

    def __init__(self) -> None:
        self._told = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        graph = moment.graph
        if graph is None or graph.root is None or graph.opaque or self._told:
            return
        full = [one for one in graph.leaves if one.dtype is torch.float32]
        if not full or len(full) < len(graph.leaves) or next(graph.of_kind("ToCopyBackward"), None) is not None:
            return
        devices = {one.device.type for one in full} - {"cpu"}
        factor = moment.scale_factor
        if factor is None and not devices:
            return
        self._told = True
        where = f"on {', '.join(sorted(devices))} " if devices else ""
        scaled = f", though a scaler multiplies it by {factor:g}" if factor is not None else ""
        yield self.finding(
            moment,
            f"{graph.name} is computed {where}in float32 throughout{scaled}: autocast is off",
            objects=[graph.name],
            evidence=f"{len(graph.nodes)} nodes, {len(full)} leaves in float32, and no cast",
        )
