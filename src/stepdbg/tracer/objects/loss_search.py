"""Which numbers that the user's variables hold are losses: seen before `backward` is called on one of them.

A loss is what `backward` is called on, and at its entry that is known. Before, it can only be found: a number with a
graph that is no older than the newest output. Of several, that which no other is made from is what will be learned
from (`loss = recon + kld`); what it is made from stands beside it.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

import torch

from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.objects.alive import Slot
from stepdbg.tracer.objects.variable_names import Sight
from stepdbg.tracer.tensors.readable import elements_of

_IN_A_LIST = re.compile(r"\[\d+\]$")
"""Of what is gathered in a list a loss will be made, which is not there yet."""
_FAR = 256
"""So many nodes of a graph are walked from a loss to what it is made from."""


class Found(NamedTuple):
    """The losses among some numbers, each with its name."""

    main: tuple[str, torch.Tensor] | None = None
    """That which backward is, or will be, called on; None where there is none."""
    beside: tuple[tuple[str, torch.Tensor], ...] = ()
    """Those that it is made from, and other losses."""


def age(tensor: torch.Tensor) -> int:
    """Grows with each operation that made a tensor; -1 for one without a graph."""
    return -1 if tensor.grad_fn is None else tensor.grad_fn._sequence_nr()


def numbers_among(
    sight: Sight, outputs: Sequence[Slot], called: Sequence[weakref.ref[torch.Tensor]]
) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors of one number with a graph that the user's variables lead to, by name, and the age of the newest
    output.

    Args:
        sight: What the variables lead to.
        outputs: The newest ones of models; none of them is listed.
        called: What backward was called on; a discriminator's loss is still there at the generator's.
    """
    alive = [output for slot in outputs if (output := slot.ref()) is not None]
    others = {id(one) for one in (*alive, *(ref() for ref in called)) if one is not None}
    with unseen():
        made = max(map(age, alive), default=-1)
        numbers = {
            sight.names[key]: value
            for key, ref in sight.tensors.items()
            if key in sight.names
            and key not in others
            and (value := ref()) is not None
            and age(value) >= 0
            and elements_of(value) == 1
        }
    return numbers, made


def losses_among(
    numbers: dict[str, torch.Tensor], known: torch.Tensor | None, called: Container[str], made: int
) -> Found:
    """The losses among these numbers.

    Args:
        numbers: Tensors of one number with a graph that backward was not called on, by name.
        known: What backward is being called on; None where it has not been called yet.
        called: What losses were called before.
        made: The age of the newest output.
    """
    if known is not None:
        others = [(name, one) for name, one in numbers.items() if one is not known]
        terms = _behind(known, [one for _, one in others])
        return Found(
            None,
            tuple(
                (name, one) for name, one in others if id(one) in terms or (age(one) >= made and _is_called_loss(name))
            ),
        )
    fresh = [name for name, one in numbers.items() if age(one) >= made]  # an earlier one is of an earlier forward
    likely = [name for name in fresh if name in called] or [name for name in fresh if _is_called_loss(name)]
    if not likely:  # an output of one number looks like a loss
        likely = [name for name in fresh if age(numbers[name]) > made]
    if not likely:
        return Found()
    terms = set[int]()
    for name in likely:
        terms |= _behind(numbers[name], [one for other, one in numbers.items() if other != name])
    ends = [name for name in likely if id(numbers[name]) not in terms] or likely
    mains = [name for name in ends if name in called or not _IN_A_LIST.search(name)]
    if not mains:
        return Found(None, tuple((name, numbers[name]) for name in likely if _is_called_loss(name)))
    main = max(mains, key=lambda name: age(numbers[name]))
    for name in ends:
        terms |= _behind(numbers[name], numbers.values())
    beside = [
        name
        for name in numbers
        if name != main and (id(numbers[name]) in terms or (name in fresh and _is_called_loss(name)))
    ]
    return Found((main, numbers[main]), tuple((name, numbers[name]) for name in beside))


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
