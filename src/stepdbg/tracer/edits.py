"""Edits of what training holds: previewed, written, kept in a journal, undone.

A tensor is written through itself under `no_grad`, so that autograd notices (its version counter moves); between
forward and backward it will then refuse, and the user is told so before. An expression is evaluated with the random
generators put back afterwards, so that a look ahead does not change what training draws.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer import frames, tensors
from stepdbg.tracer.registry import Alive, Registry

JOURNAL = 100
"""Edits that can be undone."""
UNDO_BYTES = 512 * 1024 * 1024
"""Old values that are kept for undoing, all together."""


class Refused(Exception):
    """An edit that cannot be; its text tells the user why."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An edit that has been previewed."""

    request: m.PreviewEdit
    preview: m.EditPreview
    write: Callable[[], Callable[[], None]]
    """Writes the new value and returns what undoes it."""
    kept_bytes: int


class Editor:
    """Previews, applies and undoes."""

    def __init__(self, registry: Registry) -> None:
        self.changed = False
        self._registry = registry
        self._stack: list[FrameType] = []
        self._boundary: m.Boundary | None = None
        self._pending_backward = False
        self._tokens = itertools.count(1)
        self._prepared: dict[int, _Prepared] = {}
        self._journal: list[tuple[m.Edit, Callable[[], None], int]] = []
        self._count = 0

    def open(self, stack: list[FrameType], boundary: m.Boundary, pending_backward: bool) -> None:
        """Training has stopped here."""
        self._stack, self._boundary, self._pending_backward = stack, boundary, pending_backward
        self.changed = False

    def close(self) -> None:
        """Training goes on; what was previewed and not applied is forgotten."""
        self._stack = []
        self._prepared.clear()

    def answer(self, query: m.PreviewEdit | m.ApplyEdit | m.UndoEdit) -> m.Result:
        """The answer.

        Raises:
            Refused: it cannot be.
        """
        match query:
            case m.PreviewEdit():
                return self._preview(query)
            case m.ApplyEdit(token=token):
                return self._apply(token)
            case m.UndoEdit():
                return self._undo()

    def _preview(self, request: m.PreviewEdit) -> m.EditPreview:
        entry = self._registry.alive.get(request.object)
        if entry is None:
            raise Refused(f"{request.object} is not there at this stop; choose one that is listed")
        if entry.tensor is None:
            prepare = self._for_value(request, entry)
        else:
            prepare = self._for_tensor(request, entry, entry.tensor)
        self._prepared[prepare.preview.token] = prepare
        return prepare.preview

    def _apply(self, token: int) -> m.EditDone:
        prepared = self._prepared.pop(token, None)
        if prepared is None or self._boundary is None:
            raise Refused("training has gone on since this edit was previewed; preview it again")
        undo = prepared.write()
        self._count += 1
        request, preview = prepared.request, prepared.preview
        edit = m.Edit(
            number=self._count,
            object=request.object,
            index=request.index,
            expression=request.expression,
            old=preview.old,
            new=preview.new,
            boundary=self._boundary.index,
            update=self._boundary.update,
        )
        self._journal.append((edit, undo, prepared.kept_bytes))
        while len(self._journal) > JOURNAL or sum(kept for *_, kept in self._journal[:-1]) > UNDO_BYTES:
            self._journal.pop(0)
        self.changed = True
        return m.EditDone(edit)

    def _undo(self) -> m.EditDone:
        if not self._journal:
            raise Refused("there is no edit to undo")
        edit, undo, _ = self._journal.pop()
        undo()
        self.changed = True
        return m.EditDone(replace_edit(edit))

    # what is written

    def _for_tensor(self, request: m.PreviewEdit, entry: Alive, tensor: torch.Tensor) -> _Prepared:
        target = tensor.detach()
        if target.layout is not torch.strided or target.device.type == "meta" or target.is_quantized:
            raise Refused(f"{request.object} is {target.layout} on {target.device}: such tensors cannot be edited")
        if request.index is not None:
            target = _element(target, request.index)
        whole = target.dim() > 0
        old_value: object = target.clone() if whole else target.item()
        new = self._evaluate(request.expression, old_value)
        fitted = _fit(new, target)
        warning = ""
        if self._pending_backward and entry.kind in ("parameter", "buffer", "output", "batch", "variable"):
            warning = (
                "Autograd has saved this tensor for the backward that comes: after this edit loss.backward() will "
                "refuse (“modified by an inplace operation”). Edit it before forward or after backward instead."
            )

        def write() -> Callable[[], None]:
            kept = target.clone()
            with torch.no_grad():
                _through(tensor, request.index).copy_(fitted)

            def undo() -> None:
                with torch.no_grad():
                    _through(tensor, request.index).copy_(kept)

            return undo

        old_text = in_words(target)
        return _Prepared(request, self._shown(request, old_text, in_words(fitted), warning), write, target.nbytes)

    def _for_value(self, request: m.PreviewEdit, entry: Alive) -> _Prepared:
        if request.index is not None:
            raise Refused(f"{request.object} is {entry.value!r}, which has no elements")
        store, key = self._place(request.object, entry)
        old = store[key]
        new = self._evaluate(request.expression, old)
        new = _fit_value(new, old, request.object)

        def write() -> Callable[[], None]:
            store[key] = new

            def undo() -> None:
                store[key] = old

            return undo

        warning = ""
        if key == "lr" and "initial_lr" in store:
            warning = "A scheduler drives this learning rate: it goes on from here, or sets its own at its next step."
        return _Prepared(request, self._shown(request, repr(old), repr(new), warning), write, 0)

    def _place(self, name: str, entry: Alive) -> tuple[dict[Any, Any], Any]:
        """The dictionary and the key that hold a plain value."""
        for named, optimizer in self._registry.optimizers():
            if named.name != entry.owner:
                continue
            if entry.kind == "hyperparameter":
                for index, group in enumerate(optimizer.param_groups):
                    for key in group:
                        if name == f"{named.name}.param_groups[{index}][{key!r}]":
                            return group, key
            for parameter, state in optimizer.state.items():
                for key in state:
                    owner = next((n for n, e in self._registry.alive.items() if e.tensor is parameter), None)
                    if name == f"{named.name}.state[{owner}].{key}":
                        return state, key
        raise Refused(f"{name} cannot be edited")

    def _shown(self, request: m.PreviewEdit, old: str, new: str, warning: str) -> m.EditPreview:
        return m.EditPreview(next(self._tokens), request.object, request.index, old, new, warning)

    def _evaluate(self, expression: str, old: object) -> object:
        names: dict[str, Any] = {}
        for space in reversed(list(frames.scopes(self._stack))):
            names |= space
        names |= {"torch": torch, "math": math, "old": old}
        try:
            code = compile(expression.strip(), "<edit>", "eval")
        except SyntaxError as error:
            raise Refused(f"not an expression: {error.msg}; write a number, or Python such as old * 0.5") from error
        try:
            with undisturbed_randomness():
                return eval(code, names)
        except Exception as error:
            raise Refused(f"{type(error).__name__}: {error}") from error


def replace_edit(edit: m.Edit) -> m.Edit:
    """The entry of the journal, marked as undone."""
    import msgspec

    return msgspec.structs.replace(edit, undone=True)


@contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """Put every generator that training may draw from back as it was."""
    state, torch_state = random.getstate(), torch.get_rng_state()
    on_device = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    device_states = torch.cuda.get_rng_state_all() if on_device else None
    numpy_random = sys.modules.get("numpy.random")
    numpy_state = numpy_random.get_state() if numpy_random is not None else None
    try:
        yield
    finally:
        random.setstate(state)
        torch.set_rng_state(torch_state)
        if device_states is not None:
            torch.cuda.set_rng_state_all(device_states)
        if numpy_random is not None:
            numpy_random.set_state(numpy_state)


def in_words(tensor: torch.Tensor) -> str:
    """A number, or the shape and the spread of several."""
    if tensor.numel() == 1:
        value = tensor.item()
        return f"{value:.6g}" if isinstance(value, float) else repr(value)
    readable, _ = tensors.readable(tensor)
    figures = tensors.statistics(tensor if readable is None else readable)
    shape = "×".join(str(size) for size in tensor.shape)
    if figures.min is None or figures.max is None or figures.mean is None:
        return f"{shape}, no finite numbers"
    return f"{shape}, {figures.min:.4g} … {figures.max:.4g}, mean {figures.mean:.4g}"


def _element(tensor: torch.Tensor, index: tuple[int, ...]) -> torch.Tensor:
    if len(index) != tensor.dim():
        raise Refused(f"the index {list(index)} has {len(index)} numbers, the tensor has {tensor.dim()} dimensions")
    for place, size in zip(index, tensor.shape, strict=True):
        if not -size <= place < size:
            raise Refused(f"the index {list(index)} lies outside of the shape {tuple(tensor.shape)}")
    return tensor[index]


def _through(tensor: torch.Tensor, index: tuple[int, ...] | None) -> torch.Tensor:
    """The tensor itself or a view of one element: writing there is seen by autograd."""
    return tensor if index is None else tensor[index]


def _fit(new: object, target: torch.Tensor) -> torch.Tensor:
    """The new value as a tensor of the target's shape, dtype and device."""
    if isinstance(new, (bool, int, float, complex)):
        made = torch.tensor(new)
    elif isinstance(new, torch.Tensor):
        made = new.detach()
        if made.device != target.device:
            remedy = f"add .to({str(target.device)!r})"
            raise Refused(f"the new value lies on {made.device}, the tensor on {target.device}; {remedy}")
    elif isinstance(new, (list, tuple)):
        try:
            made = torch.tensor(new)
        except (ValueError, TypeError, RuntimeError) as error:
            raise Refused(f"that is no tensor: {error}") from error
    else:
        raise Refused(f"the expression gives {type(new).__name__}, not a number or a tensor")
    if made.dim() and made.shape != target.shape:
        raise Refused(f"the new value has the shape {tuple(made.shape)}, {tuple(target.shape)} is needed")
    if made.is_complex() and not target.is_complex():
        raise Refused(f"a complex value does not fit into {target.dtype}")
    if made.is_floating_point() and not (target.is_floating_point() or target.is_complex()):
        whole = bool(torch.isfinite(made).all()) and bool((made == made.round()).all())
        if not whole:
            raise Refused(f"the value has a fraction, the tensor holds {target.dtype}")
    if not (target.is_floating_point() or target.is_complex() or target.dtype is torch.bool):
        limits = torch.iinfo(target.dtype)
        if made.numel() and (float(made.max()) > limits.max or float(made.min()) < limits.min):
            raise Refused(f"the value lies outside of {target.dtype} ({limits.min} … {limits.max})")
    return made.to(device=target.device, dtype=target.dtype).expand(target.shape).clone()


def _fit_value(new: object, old: object, name: str) -> object:
    """The new value of a hyperparameter, of the old one's kind."""
    if isinstance(new, torch.Tensor) and new.numel() == 1:
        new = new.item()
    if isinstance(old, bool):
        if not isinstance(new, bool):
            raise Refused(f"{name} is {old!r}: True or False is needed")
    elif isinstance(old, (int, float)):
        if isinstance(new, bool) or not isinstance(new, (int, float)) or math.isnan(new):
            raise Refused(f"{name} is {old!r}: a number is needed, not {new!r}")
        new = float(new) if isinstance(old, float) else new
    elif isinstance(old, tuple):
        if not isinstance(new, (tuple, list)) or len(new) != len(old):
            raise Refused(f"{name} is {old!r}: a tuple of {len(old)} is needed")
        new = tuple(new)
    elif type(new) is not type(old):
        raise Refused(f"{name} is {old!r}: a {type(old).__name__} is needed, not {new!r}")
    return new
