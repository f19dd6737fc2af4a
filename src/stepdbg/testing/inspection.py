"""What is alive in the fake debuggee, by name, and the answers to questions about it."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stepdbg.errors import FilterError, SliceError
from stepdbg.listing.effect_names import Newest
from stepdbg.listing.tree import Marked, Tree, figure_of, marked
from stepdbg.protocol.messages import (
    ApplyEdit,
    Beside,
    Census,
    Complete,
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
from stepdbg.testing import python
from stepdbg.testing.editing import Editor, Refused, Scene
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
        self._editor = Editor()

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
                case PreviewEdit() | ApplyEdit() | UndoEdit():
                    return self._edit(query)
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
        except (Refused, SliceError) as refused:
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

    def _edit(self, query: PreviewEdit | ApplyEdit | UndoEdit) -> Result:
        if self.readonly and isinstance(query, PreviewEdit):
            raise Refused("this session is read-only; start it without --readonly to edit")
        if not isinstance(query, PreviewEdit):
            self._foreseer.forget()
        parameters = {f"model.{name}": one for name, one in self._model.parameters.items()}
        scene = Scene(self.variables, self._tensors(), parameters, self.pending_backward, self.boundary, self.update)
        return self._editor.answer(query, scene)


def _find(name: str, alive: dict[str, Held]) -> Held:
    if name not in alive:
        raise Refused(f"{name} is not there at this stop")
    return alive[name]


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
