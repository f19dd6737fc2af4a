"""The inner stops of the fake debuggee: after each layer of its network, each gradient, each parameter of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from stepdbg.protocol.messages import Inner, InnerTensor
from stepdbg.testing.figures import statistics
from stepdbg.testing.inspection import Held, Inspection
from stepdbg.testing.network import Adam, Network, Tensor

_CLASSES = {"fc1": "Linear", "norm": "BatchNorm1d", "fc2": "Linear"}


class Inside:
    """Listens to the network and its optimizer while a phase is stepped into.

    Args:
        model: its layers and gradients.
        optimizer: writes parameters.
        inspection: learns of the tensors, for as long as training waits.
        stop: waits for the user.
    """

    def __init__(self, model: Network, optimizer: Adam, inspection: Inspection, stop: Callable[[Inner], None]) -> None:
        self._model, self._inspection, self._stop = model, inspection, stop
        self._phase = ""
        self._seen: Counter[str] = Counter()
        self._place = 0
        model.on_module, model.on_gradient, optimizer.on_parameter = self._module, self._gradient, self._parameter

    def enter(self, phase: str) -> None:
        """That phase is stepped into; none is, where it is empty."""
        self._phase, self._place = phase, 0
        self._seen.clear()

    def _module(self, name: str, given: Tensor, result: Tensor) -> None:
        name, known_as = f"model.{name}", "x" if given is self._inspection.variables.get("x") else ""
        tensors = (
            _told("output", f"output of {name}", result, figures=True),
            _told("input", known_as or f"input of {name}", given, figures=False),
        )
        kept = {tensors[0].object: Held("variable", result)}
        if not known_as:
            kept[tensors[1].object] = Held("variable", given)
        self._wait(Inner("module", name, _CLASSES[name.removeprefix("model.")], tensors=tensors), kept)

    def _gradient(self, name: str) -> None:
        parameter = self._model.parameters[name]
        if parameter.grad is not None:
            told = (_told("gradient", f"model.{name}.grad", parameter.grad, figures=True),)
            total = len(self._model.parameters)
            self._wait(Inner("gradient", f"model.{name}", tensors=told, total=total, how="written"), {})

    def _parameter(self, name: str) -> None:
        told = (_told("value", f"model.{name}", self._model.parameters[name], figures=True),)
        total = len(self._model.parameters)
        self._wait(Inner("parameter", f"model.{name}", "Adam", "", told, total=total, how="written", change=0.01), {})

    def _wait(self, inner: Inner, tensors: dict[str, Held]) -> None:
        if not self._phase:
            return
        self._place += 1
        self._seen[inner.name] += 1
        self._inspection.inner = tensors
        try:
            nth = self._seen[inner.name]
            self._stop(msgspec.structs.replace(inner, phase=self._phase, place=self._place, nth=nth))
        finally:
            self._inspection.inner = {}


def _told(label: str, name: str, tensor: Tensor, *, figures: bool) -> InnerTensor:
    return InnerTensor(label, name, tensor.shape, tensor.dtype, "cpu", statistics(tensor.values) if figures else None)
