"""The graph that autograd has recorded."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Question, Result


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
    """The name that torch gives the tensor: `self`, `mat1`, `result`; of a custom Function its place, or `ctx.x` for an
    attribute."""
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
    """The name of the tensor, or of what it is a view of, where that is listed: `model.fc2.weight`."""
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
    """The class of a node, `AddmmBackward0`; words for any other row."""
    node: int = 0
    """The place of the node in the order in which backward goes, from 1; of a branch or a join that of its first node;
    else 0."""
    depth: int = 0
    last: bool = False
    """Whether nothing follows below its node."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """The shapes of what the node has computed (its gradients have the same), at most `GRAPH_SHAPES` of them."""
    dtype: str = ""
    object: str = ""
    """The leaf; the tensor that the node has made, where it is listed or a variable holds it."""
    saved: tuple[SavedForBackward, ...] = ()
    through: tuple[str, ...] = ()
    """Nodes between a leaf and its row's node that save nothing: `TBackward0`."""
    nodes: int = 0
    """The number of nodes in a branch, at most `GRAPH_BRANCH`; 0 for any other row."""
    leaves: tuple[str, ...] = ()
    """The names of the leaves in a branch; empty for any other row."""
    opened: bool = False
    refers: int = -1
    """The row where the node of a join is shown."""
    update: tuple[int, int] | None = None
    """The first and the last update that the graph may have been made in; None where that is this one."""
    note: str = ""
    """What is to be known of a node that is none of torch's; where a branch joins; what an earlier graph holds."""


GRAPH_SHAPES = 4
GRAPH_BRANCH = 500


class Graph(Result, frozen=True):
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
    """The number of rows of the whole tree, as it is opened."""
    nodes: int = 0
    walked: int = 0
    """A number that grows with each answer until the whole graph is known."""
    complete: bool = True
    reached: int = 0
    """The number of trainable parameters at the graph's leaves."""
    unreached: int = 0
    """How many trainable parameters the graph does not reach."""
    unreached_names: tuple[str, ...] = ()
    """The names of some of the parameters that are not reached."""
    earlier: int = 0
    """The number of graphs that are alive from before the update before."""
    freed: bool = False
    """Whether a backward has freed what the graph had saved."""
    update: tuple[int, int] | None = None
    """The first and the last update that the graph may have been made in; None where that is this one."""
    place: int = -1
    """The row of the leaf that was asked for."""
    remarks: tuple[str, ...] = ()
    """What a reader must know: which parts of it are hidden."""
    loss_why: str = ""
    """Why the loss, which is there, has no graph; empty where anything has one."""
