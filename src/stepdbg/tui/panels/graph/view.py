"""Panel 2, the graph behind a tensor: the nodes that backward walks, from the loss back to the parameters.

A node's line goes straight down; leaves and branches hang from it. What a node has saved is said beside it, and below
the tree, for the node under the cursor, with the versions: a tensor that was written since is one that backward will
refuse.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import GRAPH_BRANCH, Graph, GraphRow, SavedForBackward
from stepdbg.tui.drawing.lines import (
    NAME,
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    Target,
    clipped,
    cropped,
    lesson,
    lit,
    padded,
    plain,
    right,
    shortened_name,
    width_of,
    wrapped,
)
from stepdbg.tui.drawing.numbers import count, plural, shape
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot

GRAPH = Slot("graph", Graph, stale_after_edit=True)
"""The graph behind a tensor, the rows of it that are in view."""
NOTHING = (
    "No graph: the loss has none until forward and the loss are computed. forward builds it, node by node; backward "
    "walks it from the loss and writes a .grad onto each parameter at its end. Press {} until there is a loss."
)
CUT = "No graph leads from the loss, so a backward reaches no parameter."
TALL = 11
"""Rows from which on there is room for what is under the cursor."""
_NUMBER = 5
"""Cells of a node's place in backward's order."""
_WIDEST_TREE = 44


class Strokes(NamedTuple):
    """The lines of the tree; each with its stand-in under `--ascii`."""

    node: str = "●"
    down: str = "│"
    branch: str = "├"
    last: str = "└"
    across: str = "─"
    closed: str = "▸"
    opened: str = "▾"
    joins: str = "↪"


DRAWN = Strokes()
TYPED = Strokes("o", "|", "+", "`", "-", ">", "v", "=")


class RowTarget(Target, frozen=True):
    """A row of the graph is to be opened."""

    row: int


def draw(snapshot: Snapshot, frame: Frame, name: str) -> Drawing:
    """The panel. Its body has a row for each row of the tree as it is opened.

    Args:
        snapshot: What is known.
        frame: The place.
        name: The tensor whose graph is shown; empty for the loss.
    """
    known = snapshot.answer(GRAPH)
    graph = known if known is not None and known.asked == name else None
    title = _title(graph, name)
    if snapshot.looking_back:
        later = snapshot.key("later")
        words = f"A graph is of the moment, and is not kept of the past. Press {later} for the present."
        return Drawing(title, (), lesson(words, frame))
    if graph is None:
        words = snapshot.problem(GRAPH) or (f"asking for the graph of {name}" if name else "asking for the graph")
        return Drawing(title, (), lesson(words, frame))
    if not graph.object:
        reasons = dict.fromkeys(plain(reason) for reason in (graph.why, graph.loss_why) if reason)
        rest = CUT if graph.loss_why else NOTHING.format(snapshot.key("next"))
        return Drawing(title, (), lesson(" ".join((*reasons, rest)), frame))
    head = _head(graph, frame)
    if not graph.complete:
        words = f"walking the graph: {count(graph.nodes)} nodes so far"
        return Drawing(title, head, lesson(words, frame._replace(height=frame.height - len(head))))
    foot = _foot(graph, snapshot, frame) if frame.height >= TALL else ()
    room = max(1, frame.height - len(head) - len(foot))
    body = tuple(_line(graph, index, frame) for index in range(frame.top, min(graph.total, frame.top + room)))
    return Drawing(title, head, body, graph.total, foot)


def row_at(graph: Graph | None, index: int) -> GraphRow | None:
    """The row of that number, if it is among those that are known."""
    place = index - graph.top if graph is not None else -1
    return graph.rows[place] if graph is not None and 0 <= place < len(graph.rows) else None


def _title(graph: Graph | None, name: str) -> Line:
    shown = graph.object if graph is not None and graph.object else name or "the loss"
    spans = [
        Span("graph of "),
        Span(plain(shown), NAME),
    ]
    if graph is not None and graph.object:
        spans.append(Span(f"  {plain(graph.grad_fn)}", "dim"))
        if graph.update is not None:
            spans.append(Span(f"  of {_when(graph.update)}", "warning"))
    return tuple(spans)


def _when(updates: tuple[int, int]) -> str:
    first, last = updates
    return f"update {last}" if first == last else f"update {first} to {last}"


def _head(graph: Graph, frame: Frame) -> tuple[Line, ...]:
    """Why it is another tensor's graph, and what it comes to."""
    lines: list[Line] = []
    room = max(1, frame.width - 2)
    ellipsis = frame.glyphs.ellipsis
    if graph.why:
        words = f"{graph.why} Below: the graph of {graph.object}."
        lines += [(Span(f" {line}", "warning"),) for line in wrapped(plain(words), room, 3, ellipsis)]
    if not graph.complete:
        return tuple(lines)
    sums = f" {plural(graph.nodes, 'node')} {frame.glyphs.dot} {plural(graph.reached, 'parameter')} reached"
    spans = [Span(sums, "dim")]
    if graph.freed:
        spans.append(Span(f" {frame.glyphs.dot} backward has freed what was saved", "dim"))
    if graph.unreached:
        spans.append(Span(f" {frame.glyphs.dot} ", "dim"))
        spans.append(Span(f"! {count(graph.unreached)} never reached", "warning"))
    if graph.earlier:
        spans.append(Span(f" {frame.glyphs.dot} ", "dim"))
        spans.append(Span(f"! {plural(graph.earlier, 'older graph')} alive", "warning"))
    lines.append(clipped(tuple(spans), frame.width, ellipsis))
    for remark in graph.remarks:
        lines += [(Span(f" {line}", "warning"),) for line in wrapped(plain(remark), room, 2, ellipsis)]
    return tuple(cropped(line, frame.width) for line in lines)


def _line(graph: Graph, index: int, frame: Frame) -> Line:
    """A row of the tree, or an empty line where it is still asked for."""
    row = row_at(graph, index)
    if row is None:
        return ()
    glyphs = frame.glyphs
    here = index == frame.cursor
    cursor = Span(glyphs.cursor if here else " ", "cursor" if frame.focused else "dim")
    emphasis = ".here" if here and frame.focused else ""
    if row.kind == "heading":
        return clipped((cursor, Span(f" {plain(row.name)}", "heading")), frame.width, glyphs.ellipsis)
    tree = _tree(row, glyphs, max(1, (frame.width - 40) // 2))
    numbered = row.kind == "node" or (row.kind == "branch" and not row.opened)
    number = str(row.node) if numbered else ""
    words, role = _words(row, glyphs)
    sizes = ", ".join(shape(one, glyphs.times) for one in row.shapes[:2])
    wide = _tree_width(graph, frame)
    name = shortened_name(words, max(4, wide - width_of(tree) - 1), glyphs.ellipsis)
    if row.kind in ("branch", "joins", "earlier"):  # they have no shape to line up: all the room is theirs
        target = RowTarget(index)
        rest = (cursor, Span(right(number, _NUMBER) + " ", "dim"), *tree, Span(words, role + emphasis))
        rest = tuple(span._replace(target=target) for span in rest)
        if row.kind == "earlier":
            rest = (*rest, Span(f"  {row.note}", "dim"))
        return clipped(rest, frame.width, glyphs.ellipsis)
    column = wide - width_of(tree)
    spans = (
        cursor,
        Span(right(number, _NUMBER) + " ", "dim"),
        *tree,
        Span(padded(name, column, glyphs.ellipsis), role + emphasis),
        Span(f"{padded(sizes, 11, glyphs.ellipsis)} ", "dim"),
        *_beside(row, glyphs),
    )
    if emphasis:
        spans = lit(spans, 2 + len(tree))
    return clipped(spans, frame.width, glyphs.ellipsis)


def _tree_width(graph: Graph, frame: Frame) -> int:
    """Cells of the tree: what the rows in view need, in steps, so that it seldom changes as one scrolls."""
    rows = [row for row in graph.rows if row.kind in ("node", "leaf", "unreached")]
    needed = max((2 * row.depth + len(row.object if row.kind == "leaf" else row.name) + 4 for row in rows), default=0)
    most = min(_WIDEST_TREE, (frame.width - _NUMBER) * (5 if frame.width >= 70 else 6) // 10)
    return max(18, min(most, -(-needed // 6) * 6))


def _tree(row: GraphRow, glyphs: Glyphs, deepest: int) -> Line:
    """The lines that lead to a row; those of branches within branches beyond `deepest` have no room."""
    strokes = DRAWN if glyphs.braille else TYPED
    down = Span(f"{strokes.down} " * row.depth, "accent") if row.depth else Span("")
    if row.depth > deepest:
        down = Span(f"{glyphs.ellipsis} " + f"{strokes.down} " * (deepest - 1), "accent")
    if row.kind == "node":
        return (down, Span(f"{strokes.node} ", "accent"))
    turn = strokes.last if row.last else strokes.branch
    if row.kind == "leaf":
        return (down, Span(f"{turn}{strokes.across} ", "accent"))
    if row.kind == "branch":
        return (down, Span(f"{turn}{strokes.opened if row.opened else strokes.closed} ", "accent"))
    if row.kind == "joins":
        return (down, Span(f"{turn}{strokes.joins} ", "accent"))
    return (Span("! ", "warning") if row.kind == "unreached" else Span("  "),)


def _words(row: GraphRow, glyphs: Glyphs) -> tuple[str, str]:
    """What a row is called, and the role of the words."""
    if row.kind == "node":
        return plain(row.name), ""
    if row.kind == "leaf":
        return plain(row.object) or "a leaf that no variable leads to", "effect"
    if row.kind == "unreached":
        return plain(row.object), "warning"
    if row.kind == "earlier":
        return plain(row.object) or f"{plain(row.name)}, which no variable leads to", "warning"
    if row.kind == "joins":
        return f"goes on at {row.node} {plain(row.name)}", "module"
    if row.opened:
        return "branch", "dim"
    number = f"{GRAPH_BRANCH} nodes and more" if row.nodes >= GRAPH_BRANCH else plural(row.nodes, "node")
    pieces = [f"{plain(row.name)}{glyphs.ellipsis} {number}"]
    if row.leaves:
        pieces.append(plural(len(row.leaves), "parameter"))
    if row.note:
        pieces.append(plain(row.note))
    return ", ".join(pieces), "module"


def _beside(row: GraphRow, glyphs: Glyphs) -> Line:
    """What a node has made, and what it has saved; how a leaf is reached."""
    if row.kind == "leaf" and row.through:
        return (Span(f"through {', '.join(map(plain, row.through))}", "faint"),)
    spans = []
    if row.kind == "node" and row.object:
        spans.append(Span(f"= {plain(row.object)}  ", "accent"))
    changed = [saved.label for saved in row.saved if saved.state == "changed"]
    states = {saved.state for saved in row.saved}
    if changed:
        spans.append(Span(f"! {', '.join(map(plain, changed))} changed since", "error"))
    elif "freed" in states:
        spans.append(Span("freed by backward", "faint"))
    elif states == {"hooked"}:
        spans.append(Span(plain(row.saved[0].note), "dim"))
    elif row.saved:
        kept = ", ".join(f"{plain(saved.label)} {shape(saved.shape, glyphs.times)}" for saved in row.saved)
        spans.append(Span(f"saves {kept}", "dim"))
    elif row.note:
        spans.append(Span(plain(row.note), "dim"))
    return tuple(spans)


# what is under the cursor


def _foot(graph: Graph, snapshot: Snapshot, frame: Frame) -> tuple[Line, ...]:
    """The row under the cursor in words: of a node all that it has saved, with the versions."""
    most = max((len(row.saved) for row in graph.rows), default=0)
    lines = max(3, min(frame.height // 3, 2 + max(2, most)))
    row = row_at(graph, frame.cursor)
    rule: Line = (Span(frame.glyphs.rule * frame.width, "rule"),)
    told = _told(row, graph, snapshot, frame, lines - 1) if row is not None else []
    told = [clipped(line, frame.width, frame.glyphs.ellipsis) for line in told[: lines - 1]]
    return (rule, *told, *([()] * (lines - 1 - len(told))))


def _told(row: GraphRow, graph: Graph, snapshot: Snapshot, frame: Frame, most: int) -> list[Line]:
    if row.kind == "node":
        return _node_told(row, frame, most)
    name = plain(row.object) or "this leaf"
    opens, leads = snapshot.key("open"), snapshot.key("graph_row")
    words = {
        "leaf": f"{name}: here backward adds the gradient to .grad. Press {opens} to open it in the Tensor panel.",
        "joins": f"A node is shown once: this way joins the line of node {row.node}. Press {leads} to go there.",
        "unreached": f"{name} is trainable, and no way leads to it from {graph.object}: backward gives it no .grad.",
        "earlier": f"{_outlives(row, snapshot)} {leads} shows it.",
        "heading": plain(row.note),
    }.get(row.kind)
    if words is None:
        leaves = f" with {', '.join(map(plain, row.leaves))}" if row.leaves else ""
        words = (
            f"A branch{leaves}. Press {leads} to open it." if not row.opened else f"Press {leads} to close the branch."
        )
    return [(Span(f" {line}", "sentence"),) for line in wrapped(words, max(1, frame.width - 2), most)]


def _outlives(row: GraphRow, snapshot: Snapshot) -> str:
    """Whether a graph of before is one too many: that of the last update goes when its variable is assigned anew."""
    stop = snapshot.stop
    if row.update is not None and stop is not None and row.update[1] >= stop.boundary.update - 1:
        return "It goes when its variable is assigned anew in this update."
    return "It was not let go of: keep .item() or .detach() of what outlives its update."


def _node_told(row: GraphRow, frame: Frame, most: int) -> list[Line]:
    glyphs = frame.glyphs
    sizes = ", ".join(shape(one, glyphs.times) for one in row.shapes)
    first = [Span(f" {row.node} {plain(row.name)}", "strong"), Span(f"  made {sizes} {row.dtype}", "dim")]
    if row.object:
        first.append(Span(f" = {plain(row.object)}", "accent"))
    if row.update is not None:
        first.append(Span(f"  in {_when(row.update)}", "warning"))
    if row.note:
        first.append(Span(f"  {plain(row.note)}", "dim"))
    if not row.saved:
        return [tuple(first), (Span("   saves no tensor for backward", "dim"),)]
    shown = sorted(row.saved, key=lambda saved: saved.state != "changed")
    if len(shown) > most - 1:
        shown = shown[: max(1, most - 1)]
        first.append(Span(f"  {len(row.saved)} saved, {len(shown)} shown", "dim"))
    wide = max(len(saved.label) for saved in shown)
    return [tuple(first), *(_saved_line(saved, min(wide, 16), glyphs) for saved in shown)]


def _saved_line(saved: SavedForBackward, wide: int, glyphs: Glyphs) -> Line:
    start = Span(f"   {padded(plain(saved.label), wide, glyphs.ellipsis)}  ", "")
    if saved.state == "freed":
        return (start, Span("freed by backward", "dim"))
    if saved.state == "hooked":
        return (start, Span(f"not looked at: {plain(saved.note)}", "dim"))
    what = Span(f"{shape(saved.shape, glyphs.times)} {saved.dtype}", "number")
    of = Span(f"  {plain(saved.object)}", "accent") if saved.object else Span("")
    if saved.state == "changed":
        words = f"  ! saved at version {saved.version}, now {saved.now}: written since, backward will refuse"
        return (start, what, of, Span(words, "error"))
    if saved.state == "unwatched":
        return (start, what, of, Span("  an attribute: autograd does not watch it", "dim"))
    if saved.state == "unknown":
        return (start, what, of, Span(f"  {plain(saved.note) or 'its version then is not known'}", "dim"))
    version = "" if saved.version is None else f"  version {saved.version}, unchanged"
    return (start, what, of, Span(version, "dim"))
