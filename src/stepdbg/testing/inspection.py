"""What is alive in the fake debuggee, by name, and the answers to questions about it."""

from __future__ import annotations

import builtins
import itertools
import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stepdbg.protocol.effect_names import Newest
from stepdbg.protocol.filters import FilterError
from stepdbg.protocol.messages import (
    ApplyEdit,
    Beside,
    Census,
    Complete,
    Edit,
    EditDone,
    EditPreview,
    Effect,
    Evaluate,
    Find,
    Foresee,
    Hyperparameter,
    Identify,
    Kind,
    LedgerRow,
    ListEffects,
    ListLocals,
    ListObjects,
    ListOptimizers,
    LookAt,
    LookAtMaps,
    LookAtPictures,
    LookBeside,
    ObjectRow,
    OptimizerInfo,
    Optimizers,
    Order,
    ParameterGroup,
    PreviewEdit,
    Query,
    ReadGraph,
    Refusal,
    Result,
    Save,
    StateEntry,
    Summaries,
    Summarise,
    Summary,
    TensorPart,
    TensorView,
    UndoEdit,
)
from stepdbg.protocol.slices import SliceError
from stepdbg.protocol.tree import Marked, Tree, figure_of, marked
from stepdbg.testing import python
from stepdbg.testing.figures import histogram, norm, statistics, window
from stepdbg.testing.foresight import Foreseer
from stepdbg.testing.graph import read_graph
from stepdbg.testing.identity import identify
from stepdbg.testing.looking import change, column_of, find, seen
from stepdbg.testing.maps import heat_maps
from stepdbg.testing.network import Adam, Loss, Network, Tensor
from stepdbg.testing.saving import save

LR = "optimizer.param_groups[0]['lr']"
_CLASSES = {"model": "Network", "model.fc1": "Linear", "model.norm": "BatchNorm1d", "model.fc2": "Linear"}
_VARIABLES: dict[str, Kind] = {"x": "batch", "y": "batch", "logits": "output", "loss": "loss"}


@dataclass(frozen=True)
class Held:
    """An object that is alive."""

    kind: Kind
    tensor: Tensor


@dataclass(frozen=True)
class _Pending:
    query: PreviewEdit
    tensor: Tensor | None
    """None for a variable of a frame, which the loop's own will not see."""
    new: Any
    preview: EditPreview


class Inspection:
    """Answers every question of the protocol from the lists of the fake's own tensors."""

    def __init__(self, model: Network, optimizer: Adam) -> None:
        self._model, self._optimizer = model, optimizer
        self.readonly = False
        self.variables: dict[str, Any] = {}
        """The local variables of the training loop at this stop."""
        self.inner: dict[str, Held] = {}
        """The tensors of an inner stop that have no other name."""
        self.ratios: dict[str, float] = {}
        """‖Δw‖ / ‖w‖ of the last step, by parameter."""
        self.effects: tuple[Effect, ...] = ()
        """Of the phase done."""
        self.newest = Newest()
        self.pending_backward = False
        self.step_is_next = False
        self.boundary = self.update = 0
        self.evaluated: list[str] = []
        """What the console has sent, oldest first."""
        self._foreseer = Foreseer(optimizer)
        self._tokens = itertools.count(1)
        self._previews: dict[int, _Pending] = {}
        self._journal: list[tuple[Edit, Tensor | None, Any]] = []

    def objects(self) -> dict[str, Held]:
        """Everything alive, under the name that the user would write."""
        found: dict[str, Held] = {}
        for name, parameter in self._model.parameters.items():
            found[f"model.{name}"] = Held("parameter", parameter)
            if parameter.grad is not None:
                found[f"model.{name}.grad"] = Held("grad", parameter.grad)
        for name, buffer in self._model.buffers.items():
            found[f"model.{name}"] = Held("buffer", buffer)
        for name, state in self._optimizer.state.items():
            for key, entry in state.items():
                found[f"optimizer.state[model.{name}].{key}"] = Held("state", entry)
        found[LR] = Held("hyperparameter", self._optimizer.lr)
        for name, kind in _VARIABLES.items():
            if isinstance(value := self.variables.get(name), Tensor):
                found[name] = Held(kind, value)
        return found | self.inner

    def _tensors(self) -> dict[str, Tensor]:
        return {name: held.tensor for name, held in self.objects().items()}

    def census(self) -> Census:
        """How much is alive."""
        parameters = self._model.parameters.values()
        elements = sum(len(p.values) for p in parameters)
        return Census("cpu", len(parameters), elements, sum(p.bytes for p in parameters))

    def answer(self, query: Query) -> Result:
        """The answer; a `Refusal` where there is none."""
        try:
            match query:
                case ListObjects():
                    return self._list_objects(query)
                case Summarise(objects=names):
                    alive = self.objects()
                    modules = {name: mark for name in names if (mark := self._tree().within(name, self.marks()))}
                    return Summaries(
                        tuple(
                            self._summary(name, alive) if name in alive else Summary(name, marks=modules[name])
                            for name in names
                            if name in alive or name in modules
                        )
                    )
                case LookAt():
                    return self._look_at(query)
                case LookAtMaps():
                    maps = heat_maps(query, self._tensors())
                    return maps or Refusal(f"{query.objects[0]} has no numbers to draw at this stop")
                case LookBeside(parts=parts):
                    known = self._tensors()
                    shape = next((known[name].shape for name, _ in parts if name in known), ())
                    return Beside(
                        parts,
                        tuple(
                            column_of(known[name], side, query)
                            if name in known and known[name].shape == shape
                            else None
                            for name, side in parts
                        ),
                    )
                case Find(object=name):
                    return find(_find(name, self.objects()).tensor, query)
                case LookAtPictures(object=name):
                    return Refusal(f"{name} holds no images")
                case Save():
                    return save(query, self._tensors())
                case ListEffects():
                    return self.newest.window(query) or Refusal("their names are not kept any more")
                case ListOptimizers():
                    return self._list_optimizers()
                case Foresee():
                    return self._foreseer.answer(query, self.step_is_next)
                case PreviewEdit():
                    return self._preview(query)
                case ApplyEdit(token=token, under=under):
                    return self._apply(token, under)
                case UndoEdit():
                    return self._undo()
                case Identify(object=name):
                    whose = identify(name, self._model, self._optimizer, self.variables)
                    return whose if isinstance(whose, Refusal) else marked(whose, self.marks())
                case ReadGraph():
                    return self._read_graph(query)
                case ListLocals(frame=frame):
                    return python.list_locals(frame, python.variables_of(frame, self.variables), set(self.objects()))
                case Evaluate(frame=frame, source=source):
                    if self.readonly:
                        return Refusal("this session is read-only, and Python can change anything")
                    self.evaluated.append(source)
                    return python.evaluate(source, dict(python.variables_of(frame, self.variables)))
                case Complete(frame=frame, text=text):
                    return python.complete(text, python.variables_of(frame, self.variables))
                case _:
                    return Refusal(f"the hub answers a {type(query).__name__}, not the training process")
        except (_Refused, SliceError) as refused:
            return Refusal(str(refused))

    def _list_objects(self, query: ListObjects) -> Result:
        moves = any(held.kind in ("batch", "output", "loss") for held in self.objects().values())
        try:
            return self._tree().answer(query, 2 if moves else 1, self.boundary, self)
        except FilterError as error:
            return Refusal(str(error))

    def _tree(self) -> Tree:
        alive = self.objects()
        rows = [ObjectRow("model", "model", "model", 0, _CLASSES["model"])]
        for module in ("fc1", "norm", "fc2"):
            rows.append(ObjectRow(f"model.{module}", module, "module", 1, _CLASSES[f"model.{module}"]))
            for name, held in alive.items():
                if held.kind in ("parameter", "buffer") and name.startswith(f"model.{module}."):
                    rows.append(_row(name, held, 2, name.rsplit(".", 1)[1]))
        blocks = [name for name in alive if name.startswith("model.blocks.") and alive[name].kind == "parameter"]
        if blocks:
            rows.append(ObjectRow("model.blocks", "blocks", "module", 1, "ModuleList"))
        for name in blocks:
            block = name.removesuffix(".weight")
            rows.append(ObjectRow(block, block.rpartition(".")[2], "module", 2, "Block"))
            rows.append(_row(name, alive[name], 3, "weight"))
        variables = [_row(name, alive[name], 1, name) for name in _VARIABLES if name in alive]
        if variables:
            rows.append(ObjectRow("variables", "variables", "group", 0))
        return Tree(rows + variables)

    # facts, for the tree

    def figures(self, names: Sequence[str], order: Order) -> list[float | None]:
        """Of each of these tensors the figure that such an order goes by."""
        alive = self.objects()
        return [figure_of(self._summary(name, alive) if name in alive else None, order) for name in names]

    def has_grad(self, name: str) -> bool:
        """Whether a gradient hangs on it."""
        return f"{name}.grad" in self.objects()

    def marks(self) -> Marked:
        """What the phase done did, by name."""
        return Marked(self.effects)

    def _read_graph(self, query: ReadGraph) -> Result:
        there = self.variables
        loss = there.get("loss")
        return read_graph(
            query,
            self._model,
            lossy=isinstance(loss, Tensor),
            output=isinstance(there.get("logits"), Tensor),
            freed=isinstance(loss, Loss) and loss.walked,
        )

    def _summary(self, name: str, alive: dict[str, Held]) -> Summary:
        tensor = alive[name].tensor
        grad = tensor.grad
        numbers = tensor.values if grad is None else tensor.values + grad.values
        return Summary(
            name,
            norm(tensor.values),
            None if grad is None else norm(grad.values),
            self.ratios.get(name),
            all(map(math.isfinite, numbers)),
            marks=self.marks().get(name),
            value=_single(tensor.values),
            grad_value=_single(grad.values) if grad is not None else None,
        )

    def _look_at(self, query: LookAt) -> TensorView:
        alive = self.objects()
        held = _find(query.object, alive)
        tensor = held.tensor
        shown, side = seen(tensor, query.side, query.cut)
        owner = re.sub(r"\.grad\Z", "", query.object)
        if match := re.fullmatch(r"optimizer\.state\[(.+)\]\.\w+", query.object):
            owner = match[1]
        names = {"value": owner, "grad": f"{owner}.grad"}
        if query.object in self.inner:
            names = {name.partition(" of ")[0]: name for name in self.inner}
        prefix = f"optimizer.state[{owner}]."
        names |= {name.removeprefix(prefix): name for name in alive if name.startswith(prefix)}
        parts = tuple(
            TensorPart(
                label,
                name,
                statistics(alive[name].tensor.values) if query.statistics else None,
                shown.shape if alive[name].tensor.shape == tensor.shape else alive[name].tensor.shape,
                change(alive[name].tensor, "backward" if label == "grad" else "step", self.update),
            )
            for label, name in names.items()
            if name in alive
        )
        return TensorView(
            query.object,
            held.kind,
            shown.shape,
            tensor.dtype,
            "cpu",
            tensor.bytes,
            held.kind == "parameter",
            tensor.version,
            tensor.grad_fn,
            parts,
            statistics(shown.values) if query.statistics else None,
            histogram(shown.values, query.bins) if query.bins else None,
            window(shown, query) if query.rows and query.columns else None,
            side=side,
            cut=query.cut,
            whole=tensor.shape if query.cut else (),
        )

    def _list_optimizers(self) -> Optimizers:
        optimizer = self._optimizer
        group = ParameterGroup(
            0,
            (
                Hyperparameter("lr", repr(optimizer.lr.values[0]), LR),
                Hyperparameter(
                    "betas",
                    repr(optimizer.betas),
                    "optimizer.param_groups[0]['betas']",
                    False,
                    tuple(map(repr, optimizer.betas)),
                ),
                Hyperparameter("eps", repr(optimizer.eps), "optimizer.param_groups[0]['eps']", False),
            ),
            len(optimizer.parameters),
            sum(len(p.values) for p in optimizer.parameters.values()),
        )
        ledger = tuple(
            LedgerRow(
                f"model.{name}",
                0,
                parameter.grad is not None,
                tuple(
                    StateEntry(
                        key,
                        f"optimizer.state[model.{name}].{key}",
                        "×".join(map(str, entry.shape)) or f"{entry.values[0]:g}",
                        norm(entry.values) if entry.shape else None,
                    )
                    for key, entry in optimizer.state.get(name, {}).items()
                ),
            )
            for name, parameter in optimizer.parameters.items()
        )
        return Optimizers((OptimizerInfo("optimizer", "Adam", optimizer.steps, (group,), ledger),))

    # ------------------------------------------------------------ edits

    def _preview(self, query: PreviewEdit) -> EditPreview:
        if self.readonly:
            raise _Refused("this session is read-only; start it without --readonly to edit")
        token, tensor, saved = next(self._tokens), None, False
        new: Any
        if query.frame is not None:
            variables = python.variables_of(query.frame, self.variables)
            if query.object not in variables:
                raise _Refused(f"there is no variable {query.object} in that frame")
            old = variables[query.object]
            new = _evaluate(query.expression, old)
            old_text, new_text = repr(old), repr(new)
        else:
            held = _find(query.object, self.objects())
            tensor = held.tensor
            numbers, new = tensor.values, array("d", tensor.values)
            chosen = _chosen(query, tensor.shape)
            for position in chosen:
                new[position] = float(_evaluate(query.expression, numbers[position]))
            olds, news = (array("d", (one[position] for position in chosen)) for one in (numbers, new))
            shape = tensor.shape if len(chosen) == len(numbers) else (len(chosen),)
            old_text, new_text = _in_words(shape, olds), _in_words(shape, news)
            saved = self.pending_backward and held.kind == "parameter"
        warning = "forward has run and backward has not: autograd may have saved this tensor" if saved else ""
        where = query.where if query.index is None else ""
        preview = EditPreview(token, query.object, query.index, old_text, new_text, warning, where, saved)
        self._previews[token] = _Pending(query, tensor, new, preview)
        return preview

    def _apply(self, token: int, under: bool) -> EditDone:
        pending = self._previews.pop(token, None)
        if pending is None:
            raise _Refused("that preview is gone; preview the edit again")
        self._foreseer.forget()
        tensor, query, preview = pending.tensor, pending.query, pending.preview
        before: Any
        if tensor is None:
            before, self.variables[query.object] = self.variables[query.object], pending.new
        else:
            before = array("d", tensor.values)
            tensor.write(pending.new)
        edit = Edit(
            len(self._journal) + 1,
            query.object,
            query.index,
            query.expression,
            preview.old,
            preview.new,
            self.boundary,
            self.update,
            where=preview.where,
            under=under and preview.saved,
        )
        self._journal.append((edit, tensor, before))
        return EditDone(edit)

    def _undo(self) -> EditDone:
        for position in reversed(range(len(self._journal))):
            edit, tensor, before = self._journal[position]
            if edit.undone:
                continue
            self._foreseer.forget()
            if tensor is None:
                self.variables[edit.object] = before
            else:
                tensor.write(before)
            undone = msgspec.structs.replace(edit, undone=True)
            self._journal[position] = (undone, tensor, before)
            return EditDone(undone)
        raise _Refused("there is no edit to take back")


class _Refused(Exception):
    """Why there is no answer."""


def _find(name: str, alive: dict[str, Held]) -> Held:
    if name not in alive:
        raise _Refused(f"{name} is not there at this stop")
    return alive[name]


def _evaluate(expression: str, old: object) -> Any:
    try:
        value = eval(expression, {"__builtins__": builtins, "math": math}, {"old": old})
    except Exception as error:  # whatever the user's expression raises is the answer
        raise _Refused(f"{type(error).__name__}: {error}") from error
    if isinstance(old, float) and not isinstance(value, (int, float)):
        raise _Refused(f"the expression gives a {type(value).__name__}, and a number is needed")
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
        raise _Refused(f"{query.where} is no slice of the shape {list(shape)}") from None
    return list(range(first * row, min(last * row, numbers)))


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    if len(index) != len(shape) or not all(0 <= i < size for i, size in zip(index, shape, strict=True)):
        raise _Refused(f"the index {list(index)} does not fit the shape {list(shape)}")
    position = 0
    for i, size in zip(index, shape, strict=True):
        position = position * size + i
    return position


def _in_words(shape: tuple[int, ...], numbers: array[float]) -> str:
    if not shape:
        return f"{numbers[0]:.6g}"
    return f"{'×'.join(map(str, shape))}, mean {sum(numbers) / len(numbers):.4g}, norm {norm(numbers):.4g}"


def _row(name: str, held: Held, depth: int, label: str) -> ObjectRow:
    tensor = held.tensor
    variable = held.kind in ("batch", "output", "loss")
    trainable = held.kind == "parameter"
    return ObjectRow(
        name,
        label,
        "parameter" if trainable else "variable" if variable else "buffer",
        depth,
        held.kind if variable else "",
        tensor.shape,
        tensor.dtype,
        "cpu",
        len(tensor.values),
        tensor.bytes,
        trainable,
        "optimizer[0]" if trainable else "",
    )


def _single(numbers: array[float]) -> float | None:
    return numbers[0] if len(numbers) == 1 else None
