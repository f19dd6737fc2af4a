"""Edits of what training holds: previewed, written, kept in a journal, undone.

A tensor is written through itself under `no_grad`, so that autograd notices (its version counter moves); between
forward and backward it will then refuse, and the user is told so before, and may write under its feet instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from msgspec.structs import replace

from stepdbg.errors import SliceError
from stepdbg.protocol import messages as m
from stepdbg.protocol import slices
from stepdbg.tracer.edit.expressions import compiled, evaluated
from stepdbg.tracer.edit.fit import fitted, fitted_value, misgivings, numbers_of, shard_in_words
from stepdbg.tracer.edit.targets import (
    Gone,
    GradientPlace,
    GroupPlace,
    Place,
    Stacks,
    StatePlace,
    TensorPlace,
    VariablePlace,
)
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import safe_repr as summary
from stepdbg.tracer.introspect.layout import groups_of, states_of
from stepdbg.tracer.introspect.plain import key_in_words, plain
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.python.namespace import names_in
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import local, stored_bytes

__all__ = ["Editor", "Refused"]
JOURNAL = 100
"""Edits that can be undone."""
UNDO_BYTES = 512 * 1024 * 1024
"""Old values that are kept for undoing, all together."""
_SAVED = ("parameter", "buffer", "output", "batch", "variable")
"""Kinds of tensors that autograd may have saved in forward."""
THE_CHOICE = (
    "autograd may have saved this value for the backward that comes. Written through the tensor, backward will refuse "
    "if it needs it (“modified by an inplace operation”); under autograd's feet it goes on, with the new value where "
    "the old one belongs: gradients that are of neither. Before forward or after backward there is no such choice."
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An edit that has been previewed."""

    request: m.PreviewEdit
    preview: m.EditPreview
    place: Place
    old: Callable[[], Any]
    """The value to go back to, copied when the edit is done."""
    new: Any
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Done:
    """An entry of the journal."""

    edit: m.Edit
    place: Place
    old: Any
    kept_bytes: int


class Editor(Handler):
    """Previews, applies and undoes."""

    answers = (m.PreviewEdit, m.ApplyEdit, m.UndoEdit)
    changes = (m.ApplyEdit, m.UndoEdit)
    readonly = dict.fromkeys(answers, "this session is read-only; start it without --readonly to edit")

    def __init__(self, registry: Registry, interruptions: Interruptions) -> None:
        self.changed = False
        self._interruptions = interruptions
        self._registry = registry
        self._stacks = Stacks()
        self._boundary: m.Boundary | None = None
        self._pending_backward = False
        self._tokens = itertools.count(1)
        self._prepared: dict[int, _Prepared] = {}
        self._journal: list[_Done] = []
        self._count = 0

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self._stacks.frames, self._boundary, self._pending_backward = at.stack, at.boundary, at.pending_backward
        self.changed = False

    def close(self) -> None:
        """Training goes on; what was previewed and not applied is forgotten."""
        self._stacks.frames = []
        self._prepared.clear()

    def answer(self, query: m.PreviewEdit | m.ApplyEdit | m.UndoEdit) -> m.Result:
        """The answer.

        Raises:
            Refused: it cannot be.
        """
        match query:
            case m.PreviewEdit():
                return self._preview(query)
            case m.ApplyEdit(token=token, under=under):
                return self._apply(token, under)
            case m.UndoEdit():
                return self._undo()

    def _preview(self, request: m.PreviewEdit) -> m.EditPreview:
        if request.frame is not None:
            prepared = self._for_variable(request, request.frame)
        else:
            entry = self._registry.alive.get(request.object)
            owner = self._registry.alive.get(request.object.removesuffix(".grad"))
            if entry is None and owner is not None and owner.kind == "parameter" and owner.tensor is not None:
                prepared = self._for_no_gradient(request, owner.tensor)
            elif entry is None:
                raise Refused(f"{request.object} is not there at this stop; choose one that is listed")
            elif entry.tensor is None:
                prepared = self._for_value(request, entry)
            else:
                prepared = self._for_tensor(request, entry, entry.tensor)
        self._prepared[prepared.preview.token] = prepared
        return prepared.preview

    def _apply(self, token: int, under: bool) -> m.EditDone:
        prepared = self._prepared.pop(token, None)
        if prepared is None or self._boundary is None:
            raise Refused("training has gone on since this edit was previewed; preview it again")
        request, preview = prepared.request, prepared.preview
        under = under and preview.saved
        old = prepared.old()
        try:
            prepared.place.write(prepared.new, under)
        except Gone:
            raise Refused(f"{request.object} is not there any more") from None
        self._count += 1
        edit = m.Edit(
            number=self._count,
            object=request.object,
            index=preview.index,
            expression=request.expression,
            old=preview.old,
            new=preview.new,
            boundary=self._boundary.index,
            update=self._boundary.update,
            where=preview.where,
            under=under,
        )
        self._journal.append(_Done(edit, prepared.place, old, prepared.kept_bytes))
        while len(self._journal) > JOURNAL or sum(done.kept_bytes for done in self._journal[:-1]) > UNDO_BYTES:
            self._journal.pop(0)
        self.changed = True
        return m.EditDone(edit)

    def _undo(self) -> m.EditDone:
        if not self._journal:
            raise Refused("there is no edit to undo")
        done = self._journal.pop()
        try:
            done.place.take_back(done.old)
        except Gone:
            return m.EditDone(replace(done.edit, lapsed=True))
        self.changed = True
        undone_at = self._boundary.index if self._boundary is not None else done.edit.boundary
        return m.EditDone(replace(done.edit, undone=True, undone_at=undone_at))

    # what is written

    def _for_tensor(self, request: m.PreviewEdit, entry: Alive, tensor: torch.Tensor) -> _Prepared:
        whole = request.index is None and not request.where.strip(" []")
        if entry.kind == "grad" and whole and request.expression.strip() == "None":  # whatever its layout
            return self._freeing(request, entry, tensor)
        target = numbers_of(request.object, tensor)
        shape = tuple(target.shape)
        chosen, index = _chosen(request, shape)
        target = target[chosen]
        code = compiled(request.expression)
        names = names_in(code)
        own: dict[str, Any] = {"old": None}
        if "old" in names:
            own["old"] = target.clone() if target.dim() else target.item()
        if entry.kind == "grad" and "value" in names:
            own["value"] = local(self._owner(entry))[0][chosen].clone()
        new = self._evaluated(code, own)
        if new is None and entry.kind == "grad" and whole:
            return self._freeing(request, entry, tensor)
        value = fitted(new, target)
        saved = self._pending_backward and entry.kind in _SAVED
        preview = m.EditPreview(
            next(self._tokens),
            request.object,
            index,
            numbers_in_words(target),
            numbers_in_words(value),
            _joined([shard_in_words(tensor), THE_CHOICE if saved else ""]),
            "" if whole or index is not None else f"[{request.where.strip().strip('[]').strip()}]",
            saved,
        )
        return _Prepared(request, preview, TensorPlace(tensor, chosen), target.clone, value, target.nbytes)

    def _for_no_gradient(self, request: m.PreviewEdit, parameter: torch.Tensor) -> _Prepared:
        """A gradient that is None becomes a tensor; the expression has the parameter as `value`."""
        if not parameter.is_leaf:
            raise Refused(f"{request.object}: the parameter is computed from others, and torch gives it no .grad")
        if request.index is not None or request.where.strip(" []"):
            raise Refused(f"{request.object} is None and has no elements; set the whole, torch.zeros_like(value) first")
        target = numbers_of(request.object, parameter)
        code = compiled(request.expression)
        own = {"old": None, "value": target.clone() if "value" in names_in(code) else None}
        new = self._evaluated(code, own)
        if new is None:
            raise Refused(f"{request.object} is None already")
        value = fitted(new, target)
        warnings = [shard_in_words(parameter)]
        if not parameter.requires_grad:
            warnings.append("The parameter is frozen: backward writes it no gradient, yet step would use this one.")
        preview = m.EditPreview(
            next(self._tokens), request.object, None, "None", numbers_in_words(value), _joined(warnings)
        )
        return _Prepared(request, preview, GradientPlace(parameter), lambda: None, value)

    def _owner(self, grad: Alive) -> torch.Tensor:
        """The parameter that a gradient is of."""
        owner = self._registry.alive[grad.owner].tensor
        assert owner is not None
        return owner

    def _freeing(self, request: m.PreviewEdit, entry: Alive, grad: torch.Tensor) -> _Prepared:
        """A gradient becomes None."""
        old = numbers_in_words(local(grad)[0])
        preview = m.EditPreview(next(self._tokens), request.object, None, old, "None")
        return _Prepared(request, preview, GradientPlace(self._owner(entry)), lambda: grad, None, stored_bytes(grad))

    def _for_value(self, request: m.PreviewEdit, entry: Alive) -> _Prepared:
        place, old, key, where = self._place_of(request.object, entry)
        new: object
        if request.index is not None and isinstance(old, (tuple, list)) and len(request.index) == 1:
            at = request.index[0]
            if not 0 <= at < len(old):
                raise Refused(f"{request.object} is {old!r}: there is no element {at}")
            part = self._evaluated(compiled(request.expression), {"old": old[at]})
            part = fitted_value(part, old[at], f"{request.object}[{at}]")
            new = type(old)((*old[:at], part, *old[at + 1 :]))
        elif request.index is not None or request.where.strip(" []"):
            raise Refused(f"{request.object} is {old!r}, which has no elements")
        else:
            new = fitted_value(self._evaluated(compiled(request.expression), {"old": old}), old, request.object, key)
        warning = ""
        if where is not None:
            warning = " ".join(misgivings(key, new, *where))
        preview = m.EditPreview(next(self._tokens), request.object, request.index, repr(old), repr(new), warning)
        return _Prepared(request, preview, place, lambda: old, new)

    def _place_of(self, name: str, entry: Alive) -> tuple[Place, object, str, tuple[Any, dict[str, Any]] | None]:
        """The place of a plain value, the value, its key, and the optimizer and group of a hyperparameter."""
        for named, optimizer in self._registry.optimizers():
            if named.name != entry.owner:
                continue
            if entry.kind == "hyperparameter":
                for index, group in enumerate(groups_of(optimizer)):
                    for key in group:
                        if name == f"{named.name}.param_groups[{index}][{plain(key)}]":
                            return GroupPlace(optimizer, index, key), group[key], key_in_words(key), (optimizer, group)
            if entry.kind == "state":
                owner, _, written = name.removeprefix(f"{named.name}.state[").rpartition("].")
                holder = self._registry.alive.get(owner)
                parameter = holder.tensor if holder is not None else None
                if parameter is not None:
                    states = [state for owner, state in states_of(optimizer) if owner is parameter]
                    for key, value in tuple(states[0].items()) if states else ():
                        if key_in_words(key) == written:
                            return StatePlace(optimizer, parameter, key), value, written, None
        raise Refused(f"{name} cannot be edited")

    def _for_variable(self, request: m.PreviewEdit, place: int) -> _Prepared:
        variables = self._stacks.variables(place)
        if request.object not in variables:
            raise Refused(f"there is no variable {request.object} in that frame")
        if request.index is not None or request.where.strip(" []"):
            raise Refused(f"{request.object} is edited as a whole")
        old = variables[request.object]
        new = self._evaluated(compiled(request.expression), {**variables, "old": old})
        words, become = summary.in_words(old), summary.in_words(new)
        warning = ""
        if type(new) is not type(old) and not {type(new), type(old)} <= {int, float}:
            warning = f"It was a {type(old).__name__}, and becomes a {type(new).__name__}."
        preview = m.EditPreview(next(self._tokens), request.object, None, words, become, warning)
        return _Prepared(request, preview, VariablePlace(self._stacks, place, request.object), lambda: old, new)

    def _evaluated(self, code: CodeType, own: dict[str, Any]) -> object:
        return evaluated(code, self._stacks.frames, own, self._interruptions)


def _joined(warnings: list[str]) -> str:
    return " ".join(each for each in warnings if each)


def _chosen(request: m.PreviewEdit, shape: tuple[int, ...]) -> tuple[tuple[slices.Place, ...], tuple[int, ...] | None]:
    """What is selected of a tensor of that shape, a place for each dimension; and the index, where it is one element.

    Raises:
        Refused: the tensor has no such part, or one without elements.
    """
    if request.index is not None and len(request.index) != len(shape):
        raise Refused(
            f"the index {list(request.index)} has {len(request.index)} numbers, the tensor has {len(shape)} dimensions"
        )
    try:
        chosen = slices.read(request.where if request.index is None else str(list(request.index)), shape)
    except SliceError as error:
        raise Refused(str(error)) from error
    if 0 not in shape and any(isinstance(place, slice) and place.start >= place.stop for place in chosen):
        raise Refused(f"{request.where.strip()} selects nothing of the shape {shape}")
    index = tuple(place for place in chosen if isinstance(place, int))
    asked = request.index is not None or bool(request.where.strip(" []"))
    return chosen, index if asked and len(index) == len(shape) else None


def numbers_in_words(tensor: torch.Tensor) -> str:
    """A number, or the shape and the spread of several."""
    if tensor.numel() == 1:
        value = tensor.item()
        return f"{value:.6g}" if isinstance(value, float) else repr(value)
    shape = "×".join(str(size) for size in tensor.shape)
    if tensor.numel() and not any(tensor.stride()):  # one number that takes the room of all
        return f"{shape}, all {numbers_in_words(tensor[(0,) * tensor.dim()])}"
    figures = tensors.statistics(tensor)
    if figures is None or figures.min is None or figures.max is None or figures.mean is None:
        return f"{shape}, no finite numbers"
    return f"{shape}, {figures.min:.4g} … {figures.max:.4g}, mean {figures.mean:.4g}"
