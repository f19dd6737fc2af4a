"""Which numbers that the user's variables hold are losses: seen before `backward` is called on one of them.

A loss is what `backward` is called on, and at its entry that is known. Before, it can only be found: a number with a
graph that is no older than the newest output. Of several, that which no other is made from is what will be learned
from (`loss = recon + kld`); what it is made from stands beside it. Of several that have nothing to do with each other
it is the one that backward was called on in the update before, and where that tells nothing, none.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.objects.alive import Slot
from stepdbg.tracer.objects.variable_names import Reachable, expressions_for
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.tensors.readable import elements_of

_IN_A_LIST = re.compile(r"\[\d+\]$")
"""Of what is gathered in a list a loss will be made, which is not there yet."""
_ENTRY = re.compile(r"\[[^\[\]]+\]$")
"""What is an entry of a list or a dictionary."""
_FAR = 256
"""The number of nodes walked at most from a loss to what it is made from."""
_LOSSES = 8
"""The number of losses that are told from new ones."""


class Found(NamedTuple):
    """The losses among some numbers, each with its name."""

    main: tuple[str, torch.Tensor] | None = None
    """The loss that backward is, or will be, called on; None where there is none."""
    beside: tuple[tuple[str, torch.Tensor], ...] = ()
    """The numbers that the main loss is made from, and other losses, by name."""


class Ages(NamedTuple):
    """How old a loss may be that backward has not been called on."""

    made: int
    """The age of the newest output; what is older is of an earlier forward."""
    past: int = -1
    """The age of the newest loss that backward was called on; what is older is of an earlier update."""


class Called:
    """What `backward` was called on, and by that what it will be called on."""

    def __init__(self, phases: PhaseTracker) -> None:
        self.undecided = False
        """Whether a loss was looked for, where backward is still to come, and none was found."""
        self._phases = phases
        self._names: dict[str, str] = {}
        """What the user's frames call the losses; for each, what it was called where `backward` was called."""
        self._known: set[str] = set()
        """The losses of the latter that were looked for in all frames."""
        self._newest = ""
        """The last of these losses."""
        self._losses: list[weakref.ref[torch.Tensor]] = []
        self._past = -1
        """The age of the newest of them."""
        self._made = -1
        """The age of the newest output."""

    def note(self, tensor: weakref.ref[torch.Tensor], name: str) -> None:
        """Backward is called on that tensor, or was."""
        self._names[name] = self._newest = name
        loss = tensor()
        if not any(other() is loss for other in self._losses):
            self._losses = [*self._losses[-_LOSSES:], tensor]
        if loss is not None:
            self._past = max(self._past, age(loss))

    def note_made(self, made: int) -> None:
        """An output of that age was made, be it there still or not."""
        self._made = max(self._made, made)

    def see(self, spaces: Sequence[Mapping[str, Any]], loss: torch.Tensor | None) -> None:
        """Backward is just being called on that loss, while somebody looks: other frames may call it something else."""
        name = self._newest
        if name not in self._known:
            self._known.add(name)
            for space in spaces:
                for expression in expressions_for(space, loss):
                    self._names.setdefault(expression, name)

    def find(self, reachable: Reachable, outputs: Sequence[Slot], known: torch.Tensor | None) -> Found:
        """The losses in sight.

        Args:
            reachable: What the user's variables lead to.
            outputs: The newest ones of models.
            known: What backward is being called on; None where it has not been called yet.
        """
        numbers, made = numbers_among(reachable, outputs, self._losses)
        self._made = max(self._made, made)
        last = self._phases.last
        ready = last is None or last.name not in ("forward", "eval")
        since = Ages(self._made, self._past)
        found = losses_among(numbers, known, self._names, self._coming(), since, ready=ready)
        self.undecided = known is None and found.main is None
        return found

    def _coming(self) -> str | None:
        """What the loss of the next backward was called in the last update."""
        phases = self._phases
        names = [phase.loss for phase in phases.before if phase.name == "backward" and phase.loss]
        place = sum(1 for phase in phases.done if phase.name == "backward" and phase.loss)
        return names[place] if place < len(names) else None


def age(tensor: torch.Tensor) -> int:
    """Grows with each operation that made a tensor; -1 for one without a graph."""
    return -1 if tensor.grad_fn is None else tensor.grad_fn._sequence_nr()


def numbers_among(
    reachable: Reachable, outputs: Sequence[Slot], called: Sequence[weakref.ref[torch.Tensor]]
) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors of one number with a graph that the user's variables lead to, by name, and the age of the newest
    output.

    Args:
        reachable: What the variables lead to.
        outputs: The newest ones of models; none of them is listed.
        called: What backward was called on; a discriminator's loss is still there at the generator's.
    """
    alive = [output for slot in outputs if (output := slot.ref()) is not None]
    others = {id(one) for one in (*alive, *(ref() for ref in called)) if one is not None}
    with unseen():
        made = max(map(age, alive), default=-1)
        mixed = _holders_of_more(reachable)
        numbers = {
            reachable.names[key]: value
            for key, ref in reachable.tensors.items()
            if key in reachable.names
            and key not in others
            and (value := ref()) is not None
            and age(value) >= 0
            and elements_of(value) == 1
            and not _is_one_of_many(reachable.names[key], mixed)
        }
    return numbers, made


def _holders_of_more(reachable: Reachable) -> set[str]:
    """The lists and dictionaries that hold tensors of more than one number: gradients, or the weights of an inner step,
    among which a bias of one number is no loss.
    """
    found = set[str]()
    for key, ref in reachable.tensors.items():
        if (entry := _ENTRY.search(name := reachable.names.get(key, ""))) is not None:
            holder = name[: entry.start()]
            if holder not in found and (tensor := ref()) is not None and elements_of(tensor) != 1:
                found.add(holder)
    return found


def _is_one_of_many(name: str, holders: set[str]) -> bool:
    entry = _ENTRY.search(name)
    return entry is not None and name[: entry.start()] in holders and not _is_called_loss(name)


def losses_among(
    numbers: dict[str, torch.Tensor],
    known: torch.Tensor | None,
    called: Mapping[str, str],
    coming: str | None,
    since: Ages,
    *,
    ready: bool,
) -> Found:
    """The losses among these numbers.

    Args:
        numbers: Tensors of one number with a graph that backward was not called on, by name.
        known: What backward is being called on; None where it has not been called yet.
        called: What losses were called before, and what where backward was called.
        coming: Which of the latter the next one is expected to be.
        since: How old it may be.
        ready: Whether the losses are there: what was made before another model is called may be a part of one.
    """
    if known is not None:
        others = [(name, one) for name, one in numbers.items() if one is not known]
        terms = _behind(known, [one for _, one in others])
        return Found(
            None,
            tuple(
                (name, one)
                for name, one in others
                if id(one) in terms or (age(one) >= since.made and _is_called_loss(name))
            ),
        )
    fresh = [
        name
        for name, one in numbers.items()
        if age(one) >= since.made or (age(one) > since.past and coming is not None and called.get(name) == coming)
    ]
    likely = [name for name in fresh if name in called]
    ends = _ends(numbers, likely)
    if not likely:
        likely = [name for name in fresh if _is_called_loss(name)]
        pool = [  # an output of one number looks like a loss
            name
            for name, one in numbers.items()
            if age(one) > since.past and (_is_called_loss(name) or age(one) != since.made)
        ]
        ends = _ends(numbers, pool)
        ends = [name for name in ends if _is_called_loss(name)] or ends
    if not any(name in fresh for name in ends):
        return Found()
    mains = [name for name in ends if name in called or not _IN_A_LIST.search(name)]
    if not mains:
        return Found(None, tuple((name, numbers[name]) for name in likely if _is_called_loss(name)))
    chosen = mains if len(mains) == 1 else [name for name in mains if coming is not None and called.get(name) == coming]
    main = chosen[0] if len(chosen) == 1 else None
    if not ready and main is not None and (main not in called or coming not in (None, called[main])):
        main = None
    terms = set[int]().union(*(_behind(numbers[name], numbers.values()) for name in ends))
    beside = [
        name
        for name in numbers
        if name != main and (id(numbers[name]) in terms or (name in fresh and (name in mains or _is_called_loss(name))))
    ]
    return Found(None if main is None else (main, numbers[main]), tuple((name, numbers[name]) for name in beside))


def _ends(numbers: Mapping[str, torch.Tensor], names: list[str]) -> list[str]:
    """The names of the numbers that no other of these is made from."""
    makers = set[int]().union(*(_behind(numbers[name], [numbers[other] for other in names]) for name in names))
    return [name for name in names if id(numbers[name]) not in makers]


def _is_called_loss(name: str) -> bool:
    return "loss" in name.lower()


def _behind(tensor: torch.Tensor, others: Iterable[torch.Tensor]) -> set[int]:
    """The `id` of those of the other tensors that this one was made from, as far as the walk goes."""
    makers: dict[Any, int] = {one.grad_fn: id(one) for one in others if one is not tensor and one.grad_fn is not None}
    found: set[int] = set()
    seen: set[Any] = set()
    waiting = [tensor.grad_fn] if tensor.grad_fn is not None else []
    while waiting and len(seen) < _FAR and len(found) < len(makers):
        for other, _ in waiting.pop(0).next_functions:
            if other is not None and other not in seen:
                seen.add(other)
                waiting.append(other)
                if (made := makers.get(other)) is not None:
                    found.add(made)
    return found
