"""What of all that is alive stays from phase to phase, parameters and buffers, and when it has become another."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from stepdbg.protocol.messages import Census
from stepdbg.tracer.tensors.readable import ORDINARY, elements_of, shape_of, stored_bytes

_size = torch.Tensor.size


class ObjectSetVersion:
    """Parameters and buffers as they were listed last, and how often they and the rest have become others."""

    def __init__(self) -> None:
        self.lasting_version = 0
        """Grows when parameters and buffers, or their shape, dtype, device or optimizers, have become others."""
        self.version = 0
        """Grows when what is alive becomes another set of names."""
        self._names: list[str] = []
        self._tensors: list[torch.Tensor] = []
        self._signature = 0
        self._others = 0
        self._census: tuple[int, Census] | None = None
        """How much was alive, and the `lasting_version` that it was counted at."""

    def begin(self) -> None:
        """Everything is about to be listed."""
        self._names, self._tensors = [], []

    def note(self, names: list[str], tensors: list[torch.Tensor]) -> None:
        """Parameters or buffers of those names."""
        self._names += names
        self._tensors += tensors

    def end(self, groups: tuple[object, ...], others: Iterable[tuple[str, str]]) -> None:
        """Everything is listed: see whether it is what it was.

        Args:
            groups: How many parameters the groups of each optimizer hold.
            others: Names and kinds of all that neither stays nor hangs on what does.
        """
        tensors = self._tensors
        facts = (
            tuple(self._names),
            tuple([tensor.requires_grad for tensor in tensors]),
            tuple([tensor.dtype for tensor in tensors]),
            tuple([tensor.device for tensor in tensors]),
            # A lazy parameter takes its shape by becoming another class; other classes may run code to tell their size.
            _shapes(tensors),
        )
        if (signature := hash((facts, groups))) != self._signature:
            self._signature = signature
            self.lasting_version += 1
        if (signature := hash((self.lasting_version, tuple(others)))) != self._others:
            self._others = signature
            self.version += 1
        self.begin()

    def census(self, parameters: Iterable[torch.Tensor]) -> Census:
        """How much these are; counted anew when others are there."""
        if self._census is None or self._census[0] != self.lasting_version:
            tensors = list(parameters)
            census = Census(
                device=", ".join(sorted(map(str, {tensor.device for tensor in tensors}))) or "cpu",
                parameters=len(tensors),
                elements=sum([elements_of(tensor) for tensor in tensors]),
                bytes=sum([stored_bytes(tensor) for tensor in tensors]),
            )
            self._census = (self.lasting_version, census)
        return self._census[1]


def _shapes(tensors: list[torch.Tensor]) -> tuple[object, ...]:
    try:
        return tuple([_size(tensor) if type(tensor) in ORDINARY else type(tensor) for tensor in tensors])
    except RuntimeError:  # nested tensors have none
        return tuple([shape_of(tensor) if type(tensor) in ORDINARY else type(tensor) for tensor in tensors])
