"""The graph behind the loss of the fake debuggee: two layers, with a way round by the mean of the hidden ones."""

from __future__ import annotations

from stepdbg.protocol.messages import Graph, GraphRow, ReadGraph, SavedForBackward
from stepdbg.testing.network import BATCH, CLASSES, FEATURES, HIDDEN, Network


def read_graph(query: ReadGraph, model: Network, *, lossy: bool, output: bool, freed: bool) -> Graph:
    """The rows that are asked for.

    Args:
        query: What is asked.
        model: Whose parameters are at the leaves.
        lossy: Whether there is a loss.
        output: Whether there is an output.
        freed: Whether backward has been run.
    """
    if not (lossy or output):
        return Graph(query.object)
    name = "logits" if query.object == "logits" or not lossy else "loss"
    rows = _rows(model, whole=name == "loss", freed=freed, opened=query.opened)
    why = ""
    place = -1
    if query.object not in ("", "loss", "logits"):
        why = f"{query.object} is a leaf: no operation made it; graphs end at it."
        place = next((number for number, row in enumerate(rows) if row.object == query.object), -1)
    top = max(0, min(query.top, len(rows) - 1))
    nodes = 8 if name == "loss" else 6
    return Graph(
        query.object,
        name,
        why,
        "NllLossBackward0" if name == "loss" else "AddmmBackward0",
        () if name == "loss" else (BATCH, CLASSES),
        top,
        tuple(rows[top : top + query.rows]),
        len(rows),
        nodes,
        nodes,
        reached=4,
        freed=freed,
        place=place,
    )


def _rows(model: Network, *, whole: bool, freed: bool, opened: tuple[int, ...]) -> list[GraphRow]:
    counter = iter(range(1, 9))

    def saved(label: str, *shape: int, of: str = "") -> SavedForBackward:
        if freed:
            return SavedForBackward(label, "freed")
        tensor = model.parameters.get(of.removeprefix("model."))
        version = tensor.version if tensor is not None else 0
        return SavedForBackward(label, "kept", shape, "float32", version, version, of)

    def node(name: str, *keeps: SavedForBackward, shape: tuple[int, ...], of: str = "") -> GraphRow:
        return GraphRow("node", name, next(counter), shapes=(shape,), dtype="float32", object=of, saved=keeps)

    def leaf(path: str, last: bool = False) -> GraphRow:
        through = ("TBackward0",) if path.endswith("weight") else ()
        shape = model.parameters[path].shape
        name = "TBackward0" if through else "AccumulateGrad"
        return GraphRow("leaf", name, 0, 0, last, (shape,), "float32", f"model.{path}", through=through)

    wide, hidden = (BATCH, CLASSES), (BATCH, HIDDEN)
    rows = []
    if whole:
        rows += [
            node("NllLossBackward0", saved("self", *wide), saved("target", BATCH, of="y"), shape=(), of="loss"),
            node("LogSoftmaxBackward0", saved("result", *wide), shape=wide),
        ]
    mat2 = saved("mat2", HIDDEN, CLASSES, of="model.fc2.weight")
    rows += [
        node("AddmmBackward0", saved("mat1", *hidden), mat2, shape=wide, of="logits"),
        leaf("fc2.bias"),
        leaf("fc2.weight"),
        node("ReluBackward0", saved("result", *hidden), shape=hidden),
        node("SubBackward0", shape=hidden),
    ]
    first = next(counter)
    open_now = first in opened
    rows.append(GraphRow("branch", "ExpandBackward0", first, nodes=0 if open_now else 2, opened=open_now,
                         note="" if open_now else f"joins {first + 2}"))  # fmt: skip
    if open_now:
        rows += [
            GraphRow("node", "ExpandBackward0", first, 1, shapes=(hidden,), dtype="float32"),
            GraphRow("node", "MeanBackward1", next(counter), 1, shapes=((HIDDEN,),), dtype="float32"),
        ]
    else:
        next(counter)
    last = next(counter)
    if open_now:
        rows.append(GraphRow("joins", "AddmmBackward0", last, 1, True, refers=len(rows) + 1))
    mat1 = saved("mat1", BATCH, FEATURES, of="x")
    rows += [
        GraphRow("node", "AddmmBackward0", last, shapes=(hidden,), dtype="float32", saved=(mat1,)),
        leaf("fc1.bias"),
        leaf("fc1.weight", last=True),
    ]
    return rows
