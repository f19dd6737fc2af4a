"""Edits of the fake's own tensors and variables: previewed, written, undone, as the tracer does it."""

from __future__ import annotations

import builtins
import itertools
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from stepdbg.protocol.messages import ApplyEdit, Edit, EditDone, EditPreview, PreviewEdit, UndoEdit
from stepdbg.testing.figures import norm
from stepdbg.testing.network import Tensor
from stepdbg.testing.python import variables_of

TakeBack = Callable[[], None]


class Refused(Exception):
    """Why there is no answer."""


@dataclass(frozen=True)
class Scene:
    """What can be edited at this stop."""

    variables: dict[str, Any]
    """Of the training loop."""
    tensors: dict[str, Tensor]
    """Everything alive, by name."""
    parameters: dict[str, Tensor]
    pending_backward: bool
    boundary: int
    update: int


@dataclass(frozen=True)
class _Pending:
    query: PreviewEdit
    preview: EditPreview
    write: Callable[[], TakeBack]
    """Makes the edit, and gives what takes it back."""


class Editor:
    """Previews, applies and undoes."""

    def __init__(self) -> None:
        self._tokens = itertools.count(1)
        self._previews: dict[int, _Pending] = {}
        self._journal: list[tuple[Edit, TakeBack]] = []

    def answer(self, query: PreviewEdit | ApplyEdit | UndoEdit, scene: Scene) -> EditPreview | EditDone:
        """The answer.

        Raises:
            Refused: it cannot be.
        """
        match query:
            case PreviewEdit():
                pending = self._preview(query, scene)
                self._previews[pending.preview.token] = pending
                return pending.preview
            case ApplyEdit(token=token, under=under):
                return self._apply(token, under, scene)
            case UndoEdit():
                return self._undo(scene)

    def _preview(self, query: PreviewEdit, scene: Scene) -> _Pending:
        if query.frame is not None:
            return self._of_variable(query, query.frame, scene.variables)
        owner = scene.parameters.get(query.object.removesuffix(".grad"))
        if query.object not in scene.tensors and owner is not None:
            return self._of_no_gradient(query, owner)
        if query.object not in scene.tensors:
            raise Refused(f"{query.object} is not there at this stop")
        tensor = scene.tensors[query.object]
        if owner is not None and owner.grad is tensor and query.expression.strip() == "None":
            return self._of_gradient(query, owner, None, _in_words(tensor.shape, tensor.values))
        numbers, new = tensor.values, array("d", tensor.values)
        chosen = _chosen(query, tensor.shape)
        for position in chosen:
            new[position] = float(_evaluate(query.expression, {"old": numbers[position]}))
        olds, news = (array("d", (one[position] for position in chosen)) for one in (numbers, new))
        shape = tensor.shape if len(chosen) == len(numbers) else (len(chosen),)
        saved = scene.pending_backward and query.object in scene.parameters
        warning = "forward has run and backward has not: autograd may have saved this tensor" if saved else ""
        where = query.where if query.index is None else ""
        preview = self._described(query, _in_words(shape, olds), _in_words(shape, news), warning, where, saved)

        def write() -> TakeBack:
            before = array("d", tensor.values)
            tensor.write(new)
            return lambda: tensor.write(before)

        return _Pending(query, preview, write)

    def _of_variable(self, query: PreviewEdit, frame: int, variables: dict[str, Any]) -> _Pending:
        name = query.object
        if name not in variables_of(frame, variables):
            raise Refused(f"there is no variable {name} in that frame")
        new = _evaluate(query.expression, {"old": variables[name]})

        def write() -> TakeBack:
            before, variables[name] = variables[name], new
            return lambda: variables.update({name: before})

        return _Pending(query, self._described(query, repr(variables[name]), repr(new)), write)

    def _of_no_gradient(self, query: PreviewEdit, owner: Tensor) -> _Pending:
        """Element by element, with the parameter's as `value`."""
        new = array("d", (float(_evaluate(query.expression, {"old": None, "value": one})) for one in owner.values))
        return self._of_gradient(query, owner, Tensor(owner.shape, new), "None")

    def _of_gradient(self, query: PreviewEdit, owner: Tensor, new: Tensor | None, old: str) -> _Pending:
        preview = self._described(query, old, "None" if new is None else _in_words(new.shape, new.values))

        def write() -> TakeBack:
            before, owner.grad = owner.grad, new
            return lambda: setattr(owner, "grad", before)

        return _Pending(query, preview, write)

    def _described(
        self, query: PreviewEdit, old: str, new: str, warning: str = "", where: str = "", saved: bool = False
    ) -> EditPreview:
        return EditPreview(next(self._tokens), query.object, query.index, old, new, warning, where, saved)

    def _apply(self, token: int, under: bool, scene: Scene) -> EditDone:
        pending = self._previews.pop(token, None)
        if pending is None:
            raise Refused("that preview is gone; preview the edit again")
        query, preview = pending.query, pending.preview
        edit = Edit(
            len(self._journal) + 1,
            query.object,
            query.index,
            query.expression,
            preview.old,
            preview.new,
            scene.boundary,
            scene.update,
            where=preview.where,
            under=under and preview.saved,
        )
        self._journal.append((edit, pending.write()))
        return EditDone(edit)

    def _undo(self, scene: Scene) -> EditDone:
        for position in reversed(range(len(self._journal))):
            edit, take_back = self._journal[position]
            if edit.undone:
                continue
            take_back()
            undone = msgspec.structs.replace(edit, undone=True, undone_at=scene.boundary)
            self._journal[position] = (undone, take_back)
            return EditDone(undone)
        raise Refused("there is no edit to take back")


def _evaluate(expression: str, names: dict[str, object]) -> Any:
    try:
        value = eval(expression, {"__builtins__": builtins, "math": math}, names)
    except Exception as error:  # whatever the user's expression raises is the answer
        raise Refused(f"{type(error).__name__}: {error}") from error
    if isinstance(names.get("value", names["old"]), float) and not isinstance(value, (int, float)):
        raise Refused(f"the expression gives a {type(value).__name__}, and a number is needed")
    return value


def _chosen(query: PreviewEdit, shape: tuple[int, ...]) -> list[int]:
    """Positions of the elements that are edited; of slices only those that leave whole rows, as `[1]` or `[:2]`."""
    if query.index is not None:
        return [_flat(query.index, shape)]
    numbers = math.prod(shape)
    words = query.where.strip("[] ")
    if not words:
        return list(range(numbers))
    row = numbers // shape[0] if shape else 1
    try:
        start, _, end = words.partition(":")
        first = int(start or 0)
        last = (int(end) if end else shape[0]) if ":" in words else first + 1
    except (ValueError, IndexError):
        raise Refused(f"{query.where} is no slice of the shape {list(shape)}") from None
    return list(range(first * row, min(last * row, numbers)))


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    if len(index) != len(shape) or not all(0 <= i < size for i, size in zip(index, shape, strict=True)):
        raise Refused(f"the index {list(index)} does not fit the shape {list(shape)}")
    position = 0
    for i, size in zip(index, shape, strict=True):
        position = position * size + i
    return position


def _in_words(shape: tuple[int, ...], numbers: array[float]) -> str:
    if not shape:
        return f"{numbers[0]:.6g}"
    return f"{'×'.join(map(str, shape))}, mean {sum(numbers) / len(numbers):.4g}, norm {norm(numbers):.4g}"
