"""The newest batch, outputs and loss: noted by the sources as weak references, found in the user's variables at a stop.

What the user's variables hold beyond the newest (`recent`) is listed with them.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Set
from itertools import islice
from types import FrameType
from typing import Any

import torch
from torch import nn

from stepdbg.protocol.messages import Kind
from stepdbg.tracer.introspect.safe_access import FEW, is_a, tensors_in
from stepdbg.tracer.introspect.trainers import closure_loss
from stepdbg.tracer.objects.alive import Alive, Slot, maker_of
from stepdbg.tracer.objects.earlier_graphs import Earlier
from stepdbg.tracer.objects.loaders.fetched import Fetching
from stepdbg.tracer.objects.loss_search import Called, age
from stepdbg.tracer.objects.recent import Numbers, RecentTensors, fetched
from stepdbg.tracer.objects.variable_names import Reachable, assigned_names, taken_by, unique


class NewestTensors:
    """The newest tensors of each kind that a phase makes."""

    def __init__(self, earlier: Earlier) -> None:
        self.at_backward = False
        """Whether backward is just being called: then the newest loss is that which it is called on."""
        self.called = Called(earlier.phases)
        """What backward was called on."""
        self.fetching = Fetching()
        """What the rules want to know of the batches of loaders."""
        self._earlier = earlier
        self._slots: dict[str, list[Slot]] = {}
        """The newest tensors, by kind."""
        self._recent = RecentTensors()
        """What the user's variables hold beyond the newest."""
        self._serial = 0
        """The number of tensors noted so far."""
        self._numbers = Numbers()
        """The numbers of the tensors that were listed."""

    def note(self, kind: Kind, value: object, name: str = "") -> None:
        """A batch, an output or a loss has come into being; it takes the place of the one before."""
        self._serial = serial = self._serial + 1
        if isinstance(value, torch.Tensor):
            maker = maker_of(value) if kind == "output" and value.dim() == 0 else None
            self._slots[kind] = [Slot(kind, weakref.ref(value), name, self._serial, kind, maker)]
            if kind == "output":
                self._earlier.note(kind, self._slots[kind][0].ref)
                if type(value) is torch.Tensor:
                    self.called.note_made(age(value))
            return
        tensors = list(islice(tensors_in(value), FEW))
        self._slots[kind] = [
            Slot(kind, weakref.ref(tensor), "", serial, kind + path, maker_of(tensor)) for path, tensor in tensors
        ]
        if kind == "output":
            for slot in self._slots[kind]:
                self._earlier.note(kind, slot.ref)

    def note_output(self, tensor: weakref.ref[torch.Tensor]) -> None:
        """A model returned that tensor, no number, some time ago."""
        self._serial += 1
        self._slots["output"] = [Slot("output", tensor, "", self._serial, "output")]

    def note_call(
        self, arguments: object, reachable: Mapping[int, weakref.ref[torch.Tensor]], *, by_hand: bool
    ) -> None:
        """A model is about to be called with gradients; told only while somebody looks.

        The output of the call before is not the newest any more. What the model is called with is the batch, if it was
        made by hand, as far as no other model or loader has made it.

        Args:
            arguments: What the model is called with.
            reachable: The tensors that the user's variables led to at the last stop, by `id`.
            by_hand: Whether batches are made by hand.
        """
        for slot in self._slots.get("output", ()):
            if (output := slot.ref()) is not None:
                self._recent.add("output", output, slot.serial)
        if not by_hand and self._slots.get("batch") and any(slot.ref() is not None for slot in self._slots["batch"]):
            return
        self._serial += 1
        for _, tensor in islice(tensors_in(arguments), FEW):
            if tensor.grad_fn is None and not is_a(tensor, nn.Parameter):
                there = reachable.get(id(tensor))
                self._recent.add("batch", tensor, self._serial, known=there is not None and there() is tensor)

    def note_fetched(self, variables: Mapping[str, Any], before: Mapping[int, weakref.ref[torch.Tensor]]) -> None:
        """A `data` phase has ended: what it made is the batch, as far as no loader has just made one."""
        made = [tensor for slot in self._slots.get("batch", ()) if (tensor := slot.ref()) is not None]
        if all(id(tensor) in before for tensor in made):
            self._serial += 1
            for tensor in fetched(variables, before):
                self._recent.add("batch", tensor, self._serial)

    def add_loss(self, tensor: weakref.ref[torch.Tensor], name: str, update: int | None = None) -> None:
        """`backward` is called on that tensor, or was, in that update, or will be in this."""
        if update is not None:
            self.called.note(tensor, name)
        slots = self._slots.get("loss")
        if slots is None or slots[0].ref() is not tensor():
            self._serial += 1
            self._slots["loss"] = [Slot("loss", tensor, name, self._serial, "loss")]
            self._earlier.note_loss(tensor, update)

    def includes(self, kind: Kind, tensor: torch.Tensor) -> bool:
        """Whether that very tensor is among the newest noted of its kind."""
        return any(slot.ref() is tensor for slot in self._slots.get(kind, ()))

    def made_at(self, kind: Kind, node: Any) -> bool:
        """Whether that node of the graph made one of the newest of that kind, a number, be it there still or not."""
        number = node._sequence_nr()
        return any(slot.maker == number for slot in self._slots.get(kind, ()))

    def loss(self) -> torch.Tensor | None:
        """The loss noted last, if it is still there."""
        slots = self._slots.get("loss")
        return slots[0].ref() if slots else None

    def batch(self) -> torch.Tensor | tuple[torch.Tensor, ...] | None:
        """The tensors of the batch noted last, if they are still there."""
        tensors = [tensor for slot in self._slots.get("batch", ()) if (tensor := slot.ref()) is not None]
        tensors = tensors or self._recent.newest("batch")
        return tensors[0] if len(tensors) == 1 else tuple(tensors) or None

    def loss_name(self) -> str | None:
        """What the newest loss is called; None where another one is to come that nobody knows yet."""
        slots = self._slots.get("loss")
        return slots[0].name or None if slots and not self.called.undecided else None

    def called_on(self) -> str | None:
        """What the loss is called that `backward` was called on last; at its entry, the one that it is called on."""
        slots = self._slots.get("loss")
        return slots[0].name or None if slots else None

    def find_loss(
        self, reachable: Reachable | None, before: Mapping[int, weakref.ref[torch.Tensor]], stack: list[FrameType]
    ) -> None:
        """See which of the user's variables hold losses: before backward, and what stands beside it at its entry."""
        newest = self.loss()
        if newest is not None:
            self._recent.add("loss", newest, self._slots["loss"][0].serial)
        if reachable is None:
            self.called.undecided = False
            return
        found = self.called.find(reachable, self._slots.get("output", ()), newest if self.at_backward else None)
        if (main := found.main or (None if self.at_backward else closure_loss(stack))) is not None:
            self.called.undecided = False
            self.add_loss(weakref.ref(main[1]), main[0])
        for _, value in found.beside:
            self._serial += 1
            self._recent.add("loss", value, self._serial, known=before.get(id(value), lambda: None)() is value)

    def list_among(
        self,
        alive: dict[str, Alive],
        scope: Mapping[int, str],
        taken: Set[str],
        returning: FrameType | None,
        before: Mapping[int, weakref.ref[torch.Tensor]],
    ) -> None:
        """List batches, outputs and losses among what else is alive, by name.

        Args:
            alive: Everything that is listed so far; the tensors are added.
            scope: Names of the user's variables, by `id`.
            taken: Names that the user has given to something.
            returning: A frame to which a model's output is just being returned.
            before: The tensors that were in sight at the stop before, by `id`.
        """
        for kind in ("batch", "output", "loss"):
            self._list_noted(kind, alive, scope, taken, returning if kind == "output" else None, before)
        self._list_recent(alive, scope)

    def _list_noted(
        self,
        kind: Kind,
        alive: dict[str, Alive],
        scope: Mapping[int, str],
        taken: Set[str],
        returning: FrameType | None,
        before: Mapping[int, weakref.ref[torch.Tensor]],
    ) -> None:
        slots = [slot for slot in self._slots.get(kind, ()) if slot.ref() is not None]
        if kind == "output":  # a loss that the model returned is listed as the loss
            slots = [slot for slot in slots if slot.ref() is not self.loss()]
        assigned = assigned_names(returning) if returning is not None else ()
        for place, slot in enumerate(slots):
            tensor = slot.ref()
            found = scope.get(id(tensor)) if tensor is not None else None
            if found is None and assigned:
                found = taken_by(assigned, slot.default.removeprefix(kind), len(slots), place)
            slot.name = found or _free(slot.default if kind != "loss" else slot.name or kind, kind, taken)
            name = slot.name = unique(slot.name, alive)
            there = before.get(id(tensor)) if kind == "loss" else None  # an output is the loss only at backward
            known = there is not None and there() is tensor
            alive[name] = Alive(slot.kind, tensor, serial=self._numbers.of(tensor), known=known)

    def _list_recent(self, alive: dict[str, Alive], scope: Mapping[int, str]) -> None:
        recent = self._recent.named(scope)
        listed = {id(entry.tensor) for entry in alive.values()} if recent else ()
        for name, tensor, one in recent:
            if id(tensor) not in listed and name not in alive:
                known = one.known or self._numbers.has(tensor)
                alive[name] = Alive(one.kind, tensor, serial=self._numbers.of(tensor), known=known)


def _free(name: str, kind: Kind, taken: Set[str]) -> str:
    """A name for what no variable holds: none that the user has given to something else."""
    root = name[: len(kind)] if name.startswith(kind) else name
    return f"model_{name}" if root in taken else name
