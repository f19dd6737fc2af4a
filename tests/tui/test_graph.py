"""The graph behind a tensor: as text at all sizes, and under a pilot by key, by mouse and through the palette."""

from __future__ import annotations

import msgspec
import pytest
from tui.builders import at, knowing, shown, stop_after, widest
from tui.stage import Stage, stage

from stepdbg.protocol.messages import Graph, GraphRow, SavedForBackward
from stepdbg.tui.actions.action import applicable
from stepdbg.tui.drawing.lines import ASCII, UNICODE, Frame, text
from stepdbg.tui.panels.graph import view as graph
from stepdbg.tui.state.snapshot import Snapshot

SIZES = ((80, 24), (100, 30), (160, 50))
all_sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")

ROWS = (
    GraphRow("node", "MeanBackward0", 1, shapes=((),), dtype="float32", object="loss"),
    GraphRow("node", "AddBackward0", 2, shapes=((5, 4),), dtype="float32"),
    GraphRow("branch", "ReluBackward0", 3, nodes=2, leaves=("model.e.bias", "model.e.weight"), note="joins 5"),
    GraphRow(
        "node", "AddmmBackward0", 5, shapes=((5, 4),), dtype="float32", object="hidden",
        saved=(
            SavedForBackward("mat1", "kept", (5, 4), "float32", 0, 0, "x"),
            SavedForBackward("mat2", "changed", (4, 4), "float32", 3, 4, "model.a.weight"),
        ),
    ),
    GraphRow("leaf", "AccumulateGrad", shapes=((4,),), object="model.a.bias"),
    GraphRow("leaf", "TBackward0", last=True, shapes=((4, 4),), object="model.a.weight", through=("TBackward0",)),
    GraphRow("heading", "never reached from here: 1 trainable parameter"),
    GraphRow("unreached", "model.unused", object="model.unused", shapes=((2,),)),
    GraphRow("heading", "alive from earlier updates: 1 graph"),
    GraphRow("earlier", "MeanBackward0", object="kept[0]", update=(1, 1), note="of update 1, what it saved is freed"),
)  # fmt: skip


def known(**fields: object) -> Snapshot:
    """A snapshot with a graph in it."""
    values: dict[str, object] = {
        "asked": "", "object": "loss", "grad_fn": "MeanBackward0", "rows": ROWS, "total": len(ROWS), "nodes": 9,
        "reached": 4, "unreached": 1, "earlier": 1,
    }  # fmt: skip
    return knowing(at(stop_after("loss")), Graph(**{**values, **fields}))  # type: ignore[arg-type]


def drawn(snapshot: Snapshot, frame: Frame, name: str = "") -> str:
    drawing = graph.draw(snapshot, frame, name)
    return shown((drawing.title, *drawing.head, *drawing.body, *drawing.foot))


def test_the_line_goes_straight_down_and_leaves_and_branches_hang_from_it() -> None:
    lines = drawn(known(), Frame(100, 20)).splitlines()
    assert lines[0] == "graph of loss  MeanBackward0"
    assert lines[1] == " 9 nodes · 4 parameters reached · ! 1 never reached · ! 1 older graph alive"
    assert lines[2].split() == ["›", "1", "●", "MeanBackward0", "scalar", "=", "loss"]
    assert lines[4] == "     3 ├▸ ReluBackward0… 2 nodes, 2 parameters, joins 5"
    assert "! mat2 changed since" in lines[5]
    assert lines[6].startswith("       ├─ model.a.bias ")
    assert lines[7].startswith("       └─ model.a.weight ")
    assert lines[7].endswith("through TBackward0")
    assert lines[9].split() == ["!", "model.unused", "[2]"]
    assert lines[11] == "         kept[0]  of update 1, what it saved is freed"


def test_the_foot_tells_what_the_node_under_the_cursor_has_saved_at_which_version() -> None:
    foot = shown(graph.draw(known(), Frame(100, 20, cursor=3), "").foot)
    assert "5 AddmmBackward0  made 5×4 float32 = hidden" in foot
    assert "mat1  5×4 float32  x  version 0, unchanged" in foot
    assert "mat2  4×4 float32  model.a.weight  ! saved at version 3, now 4: written since" in foot
    assert foot.index("mat2") < foot.index("mat1"), "what backward will refuse comes first"
    at_leaf = shown(graph.draw(known(), Frame(100, 20, cursor=5), "").foot)
    assert "here backward adds the gradient to .grad" in at_leaf


def test_a_graph_of_the_update_before_is_no_fault_and_one_that_is_older_is() -> None:
    for update, words in ((41, "It goes when its variable is assigned anew"), (40, "keep .item() or .detach()")):
        row = msgspec.structs.replace(ROWS[-1], update=(1, update))
        foot = shown(graph.draw(known(rows=(*ROWS[:-1], row)), Frame(100, 20, cursor=len(ROWS) - 1), "").foot)
        assert words in foot


@pytest.mark.parametrize(
    ("state", "words"),
    [("freed", "freed by backward"), ("hooked", "not looked at: recomputed"), ("unwatched", "does not watch it"),
     ("unknown", "is not known")],
)  # fmt: skip
def test_each_state_of_what_is_saved_is_said(state: str, words: str) -> None:
    note = "recomputed in backward (checkpoint)" if state == "hooked" else ""
    saved = SavedForBackward("self", state, (2,), "float32", note=note)  # type: ignore[arg-type]
    one = known(rows=(GraphRow("node", "SinBackward0", 1, saved=(saved,)),), total=1)
    assert words in drawn(one, Frame(100, 20))


def test_a_loss_without_a_graph_is_not_waited_for() -> None:
    cut = Graph("w", why="w is a leaf.", loss_why="loss is cut.")
    found = " ".join(drawn(knowing(known(), cut), Frame(80, 20), "w").split())
    assert "w is a leaf. loss is cut. No graph leads from the loss" in found
    assert "until there is a loss" not in found
    none = msgspec.structs.replace(cut, loss_why="")
    assert "until there is" in drawn(knowing(known(), none), Frame(80, 20), "w")


def test_why_a_tensor_has_no_graph_is_said_above_the_graph_of_the_loss() -> None:
    found = drawn(known(asked="x", why="x is a leaf."), Frame(80, 20), "x")
    assert "x is a leaf. Below: the graph of loss." in found
    assert "MeanBackward0" in found


def test_with_nothing_to_show_it_teaches() -> None:
    assert "No graph: the loss has none until forward" in drawn(known(object="", rows=(), total=0), Frame(80, 20))
    assert "asking for the graph of x" in drawn(known(), Frame(80, 20), "x")
    assert "40,000 nodes so far" in drawn(known(complete=False, nodes=40_000, rows=(), total=0), Frame(80, 20))
    past = msgspec.structs.replace(known(), looking_back=True)
    assert "not kept of the past" in drawn(past, Frame(80, 20))
    refused = msgspec.structs.replace(known(), answers={}, problems={graph.GRAPH.name: "y is not there at this stop"})
    assert "y is not there" in drawn(refused, Frame(80, 20), "y")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("size", [(160, 40), (78, 15), (50, 12), (24, 5), (8, 2), (1, 1)])
def test_it_keeps_to_its_frame(size: tuple[int, int], glyphs: object) -> None:
    deep = msgspec.structs.replace(ROWS[3], depth=30, name="ScaledDotProductFlashAttentionForCpuBackward0")
    for snapshot in (known(), known(rows=(*ROWS[:3], deep, *ROWS[4:])), known(asked="x", why="because " * 40)):
        for cursor in range(len(ROWS)):
            frame = Frame(*size, cursor=cursor, glyphs=glyphs)  # type: ignore[arg-type]
            found = snapshot.answer(graph.GRAPH)
            assert found is not None
            drawing = graph.draw(snapshot, frame, found.asked)
            lines = (*drawing.head, *drawing.body, *drawing.foot)
            assert widest(lines) <= size[0]
            if size[1] >= 12:
                assert len(lines) <= size[1]
            if glyphs is ASCII:
                assert all(text(line).isascii() for line in (drawing.title, *lines))


# under a pilot


def words(here: Stage) -> str:
    """What stands in the place of the tensor."""
    return here.panel("tensor").text()


def kind(here: Stage) -> str:
    """Of the row under the cursor."""
    row = here.graph.row()
    return row.kind if row is not None else ""


@all_sizes
async def test_b_shows_the_graph_enter_opens_a_branch_and_leads_on_to_a_parameter(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("7", "B")  # nothing is selected there: the loss's
        await here.until(lambda: "● NllLossBackward0" in words(here), "the graph")
        assert "14 nodes · 4 parameters reached" in words(here)
        assert here.app.panel_layout.focused_name() == "tensor"
        await here.press(*["down"] * 7)
        assert kind(here) == "branch"
        await here.press("enter")
        await here.until(lambda: "│ ● ExpandBackward0" in words(here), "the open branch")
        await here.press("left")
        await here.until(lambda: "│ ● ExpandBackward0" not in words(here), "the closed branch")
        await here.press("right")
        await here.until(lambda: "│ ● ExpandBackward0" in words(here), "the branch that right opened")
        await here.press("down", "down", "down")
        await here.until(lambda: kind(here) == "joins", "the row that joins")
        await here.press("enter")
        await here.until(lambda: kind(here) == "node", "the node that it joins")
        assert here.graph.row().node == 8  # type: ignore[union-attr]
        await here.press("end")
        await here.until(lambda: "└─ model.fc1.weight" in words(here), "the last parameter")
        await here.press("enter")
        assert not here.graphed
        assert here.tensor.object == "model.fc1.weight"
        await here.until(lambda: "[0, 0]" in words(here), "its numbers")


@all_sizes
async def test_it_is_reached_by_mouse_and_by_the_palette(size: tuple[int, int]) -> None:
    async with stage(size) as here:
        await here.step_to("backward")
        await here.press("5")
        await here.until_seen("B graph")
        await here.click_on("B graph")
        await here.until_seen("├▸ ExpandBackward0")
        await here.click_on("├▸ ExpandBackward0")
        await here.until_seen("│ ● ExpandBackward0")
        await here.click_on("esc back")
        await here.until(lambda: not here.graphed, "the numbers")
        await here.press("5")
        titles = {command.title: command for command in here.app.get_system_commands(here.app.screen)}
        titles["graph (B)"].callback()
        await here.until_seen("graph of", "├─ model.fc2.bias")
        for y, line in enumerate(here.text.splitlines()):
            if "─ model.fc2.bias" in line:
                await here.pilot.click(offset=(line.index("model.fc2.bias"), y), times=2)
                break
        await here.until(lambda: here.tensor.object == "model.fc2.bias" and not here.graphed, "the tensor")


async def test_from_a_parameter_the_cursor_goes_to_where_the_graph_ends_at_it() -> None:
    async with stage() as here:
        await here.press("B")
        await here.until_seen("No graph:", "the loss has none until forward")
        await here.step_to("backward")
        await here.until_seen("model.fc1.weight is a leaf", "here backward adds the gradient")
        await here.press("escape", "B")
        await here.until(lambda: "model.fc1.weight: here backward adds" in words(here), "the leaf under the cursor")
        await here.press("a")
        await here.until_seen("ONE tensor, 2 owners")


async def test_it_follows_the_stops_and_offers_no_maps_and_no_edits() -> None:
    async with stage() as here:
        await here.step_to("backward")
        await here.press("7", "B")
        await here.until_seen("saves result 8×4")
        for key in ("e", "m", "v"):
            assert applicable(key, here.app.action_context()) is None
        await here.step()
        await here.until_seen("backward has freed what was saved", "freed by backward")
        await here.press("[")
        await here.until_seen("not kept of the past")
        await here.press("]")
        await here.until_seen("freed by backward")
        await here.press("question_mark")
        await here.until_seen("Tensor: The graph behind a tensor")
