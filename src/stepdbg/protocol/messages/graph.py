"""The graph that autograd has recorded."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Message, Part, Question


class ReadGraph(Question, frozen=True):
    """The graph that backward walks from a tensor to the leaves, as a tree: the rows that are in view. Each question
    walks it a bit further. Answer: `Graph`.
    """

    object: str = ""
    """The tensor; empty for the loss, or where there is none, the newest output."""
    top: int = 0
    rows: int = 0
    opened: tuple[int, ...] = ()
    """The branches that are open, by the place of their first node."""
    walked: int = 0
    """What `Graph.walked` was in the last answer, so that asking on is another question."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,)


SavedState = Literal["kept", "changed", "freed", "hooked", "unwatched", "unknown"]


class SavedForBackward(Part, frozen=True):
    """A tensor that a node has saved for backward, looked at without unpacking it through anybody's hook."""

    label: str
    """As torch calls it: `self`, `mat1`, `result`; of a custom Function its place, or `ctx.x` for an attribute."""
    state: SavedState
    """`changed`: written in place since, so that backward will refuse; `freed`: a backward has been here; `hooked`:
    behind a hook, which is not run for a look; `unwatched`: an attribute, of which autograd counts no versions;
    `unknown`: this torch cannot tell.
    """
    shape: tuple[int, ...] = ()
    dtype: str = ""
    version: int | None = None
    """The version counter when it was saved."""
    now: int | None = None
    """The version counter now."""
    object: str = ""
    """What it is, or is a view of, where that is listed: `model.fc2.weight`."""
    note: str = ""
    """`recomputed in backward (checkpoint)`, or which hook it is behind."""


GraphRowKind = Literal["node", "leaf", "branch", "joins", "heading", "unreached", "earlier"]


class GraphRow(Part, frozen=True):
    """A row of the tree. A node's own line goes straight on at its depth; what else it leads to hangs below it."""

    kind: GraphRowKind
    """`leaf`: where a gradient is added to a parameter's (or another leaf's) `.grad`; `branch`: nodes that are shown
    only where it is open; `joins`: the line goes on at a node that is shown elsewhere. After the tree come `heading`,
    `unreached` (a trainable parameter), `earlier` (a graph of an earlier update).
    """
    name: str
    """Of a node its class: `AddmmBackward0`; of all others words."""
    node: int = 0
    """Its place in the order in which backward goes, from 1; of a branch or a join that of its first node; else 0."""
    depth: int = 0
    last: bool = False
    """Whether nothing follows below its node."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Of what the node has computed (its gradients have the same), at most `GRAPH_SHAPES` of them."""
    dtype: str = ""
    object: str = ""
    """The leaf; the tensor that the node has made, where it is listed or a variable holds it."""
    saved: tuple[SavedForBackward, ...] = ()
    through: tuple[str, ...] = ()
    """Nodes between a leaf and its row's node that save nothing: `TBackward0`."""
    nodes: int = 0
    """Of a branch; at most `GRAPH_BRANCH` are counted."""
    leaves: tuple[str, ...] = ()
    """Of a branch."""
    opened: bool = False
    refers: int = -1
    """The row where the node of a join is shown."""
    update: tuple[int, int] | None = None
    """The update that it was made in, where that is an earlier one; or the first and last of those it may have been."""
    note: str = ""
    """What is to be known of a node that is none of torch's; where a branch joins; what an earlier graph holds."""


GRAPH_SHAPES = 4
GRAPH_BRANCH = 500


class Graph(Message, frozen=True):
    """Answer to `ReadGraph`."""

    asked: str
    object: str = ""
    """The tensor whose graph it is: another one where the one asked for has none. Empty: there is none."""
    why: str = ""
    """Why the tensor asked for has no graph."""
    grad_fn: str = ""
    shape: tuple[int, ...] = ()
    top: int = 0
    rows: tuple[GraphRow, ...] = ()
    total: int = 0
    """Rows of the whole, as it is opened."""
    nodes: int = 0
    walked: int = 0
    """Grows with each answer until all is known."""
    complete: bool = True
    reached: int = 0
    """Trainable parameters at its leaves."""
    unreached: int = 0
    """How many trainable parameters the graph does not reach."""
    unreached_names: tuple[str, ...] = ()
    """Some of them."""
    earlier: int = 0
    """Graphs that are alive from before the update before."""
    freed: bool = False
    """Whether a backward has freed what it had saved."""
    update: tuple[int, int] | None = None
    """The update that it was made in, where that is an earlier one; or the first and last of those it may have been."""
    place: int = -1
    """The row of the leaf that was asked for."""
    remarks: tuple[str, ...] = ()
    """What a reader must know: which parts of it are hidden."""
    loss_why: str = ""
    """Where nothing has a graph: why the loss has none, which is there."""
