"""What each panel shows, as text, at the two sizes that matter and at absurd ones."""

from __future__ import annotations

import math
import re
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.builders import at, effects, knowing, model_objects, shown, stop_after, widest

from stepdbg.protocol.messages import (
    Boundary,
    Breakpoint,
    Edit,
    Evaluated,
    Histogram,
    Hyperparameter,
    LossPoint,
    LossPoints,
    ObjectRow,
    OptimizerInfo,
    Optimizers,
    ParameterGroup,
    SessionChanged,
    SourceText,
    StateEntry,
    StateRow,
    Statistics,
    Stop,
    Summary,
    TensorPart,
    TensorView,
    Window,
)
from stepdbg.tui.drawing.lines import ASCII, UNICODE, Drawing, Frame, Glyphs, text
from stepdbg.tui.drawing.numbers import figure
from stepdbg.tui.layout.arrangement import boxes, order
from stepdbg.tui.panel_base.registry import PANELS
from stepdbg.tui.panels.breakpoints import view as breaks
from stepdbg.tui.panels.console import view as console
from stepdbg.tui.panels.model import view as model
from stepdbg.tui.panels.optimizer import view as optimizer
from stepdbg.tui.panels.source import view as source
from stepdbg.tui.panels.tensor import layout as tensor_layout
from stepdbg.tui.panels.tensor import view as tensor
from stepdbg.tui.panels.tensor.slots import TENSOR
from stepdbg.tui.panels.text import chart, loss, output
from stepdbg.tui.records.exchanges import Exchange
from stepdbg.tui.records.losses import MOST_POINTS, Point, Series, grown
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.attention import panel_to_show
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top.session_sentence import session_sentence
from stepdbg.tui.words.edits import edit_words

VIEWS = (model, tensor, optimizer, loss, source, output, breaks, console)


def full() -> Snapshot:
    """A snapshot with something in every panel."""
    values = struct.pack("<6d", 0.5, -1.25, float("nan"), 1e-9, 123456.0, 0.0)
    statistics = Statistics(-1.25, 123456.0, 0.1, 0.2, 3.0, zeros=1, nan=1)
    view = TensorView(
        "model.conv1.weight", "parameter", (2, 3), "float32", "cpu", 24, True, 5,
        parts=(TensorPart("value", "model.conv1.weight", statistics),
               TensorPart("grad", "model.conv1.weight.grad", Statistics(0.0, 1.0, 0.5, None, 1.0))),
        statistics=statistics, histogram=Histogram(-1.25, 2.0, (1, 4, 9, 2)),
        window=Window(0, 0, 2, 3, 2, 3, "d", values),
    )  # fmt: skip
    group = ParameterGroup(
        0,
        (
            Hyperparameter("lr", "0.001", "optimizer.param_groups[0]['lr']"),
            Hyperparameter("foreach", "None", "optimizer.param_groups[0]['foreach']", editable=False),
        ),
        8,
        300_000,
    )
    row = StateRow("model.conv1.weight", 0, True, (StateEntry("step", "o", "12"), StateEntry("exp_avg", "o", "8", 2.0)))
    stop = stop_after("backward", line_done=("/x/train.py", 2), line_next=("/x/train.py", 3))
    shot = at(stop, breakpoints=(Breakpoint(1, "backward", hits=2), Breakpoint(2, None, update=40, enabled=False)))
    edit = Edit(1, "model.fc1.weight", (0, 3), "old * 0.5", "0.12", "0.06", 7, 3)
    return knowing(
        shot,
        model_objects(),
        view,
        Optimizers((OptimizerInfo("optimizer", "Adam", 12, (group,), (row,)),)),
        session=dataclasses_session(shot, edit),
        summaries={"model.conv1.weight": Summary("model.conv1.weight", 2.5, 0.25, 0.001)},
        losses=grown((), LossPoints(0, ("loss",), tuple(LossPoint(n, 0, 2.0 / n) for n in range(1, 60)))),
        sources={"/x/train.py": SourceText("/x/train.py", "for x in y:\n    loss.backward()\n    opt.step()  # now\n")},
        console=(Exchange("loss.item()", "train:2", Evaluated("0.5")), Exchange("1/0", "train:2")),
        output=Transcript().fed(0, b"epoch 1\n\x1b[32mok\x1b[0m\n"),
    )


def dataclasses_session(shot: Snapshot, edit: Edit):  # type: ignore[no-untyped-def]
    """The session with an edit in its journal."""
    return msgspec.structs.replace(shot.session, edits=(edit,))


def drawn(drawing: Drawing) -> str:
    """Title, head and body as text."""
    return shown([drawing.title, *drawing.head, *drawing.body])


@pytest.mark.parametrize("width", [80, 62])
def test_the_model_shows_what_the_phase_did_to_each_gradient_by_a_sign(width: int) -> None:
    words = drawn(model.draw(full(), Frame(width, 16)))
    weight = next(line for line in words.splitlines() if "weight" in line)
    assert "2.500" in weight
    assert re.search(r"\+ +0\.2500", weight), "a mark, and not the number's sign"
    assert "Conv2d" in words
    assert "running_mean" in words


@pytest.mark.parametrize("width", [80, 160])
def test_marks_that_may_be_of_any_phase_since_the_last_stop_look_otherwise(width: int) -> None:
    stop = stop_after("step", effects=effects(("parameter", "changed", 1), names=("model.fc1.bias",), hint=True))
    snapshot = knowing(at(stop), model_objects())
    drawing = model.draw(snapshot, Frame(width, 20))
    assert "?: since the last stop, by whichever phase" in shown([drawing.title])
    (row,) = [line for line in shown(drawing.body).splitlines() if "*" in line]
    assert row.startswith(" *? ")
    assert "bias" in row
    sure = knowing(at(stop_after("step")), model_objects())
    assert "?" not in drawn(model.draw(sure, Frame(width, 20)))


def test_at_the_end_of_the_script_the_place_that_was_shown_last_stays_in_the_source_panel() -> None:
    before = full()
    end = Boundary(400, 42, done=None, next=None)
    stop = Stop(end, "exit")
    session = msgspec.structs.replace(
        before.session, ranks=(msgspec.structs.replace(before.session.ranks[0], stop=stop),)
    )
    seen = reduced(reduced(before, SessionChanged(before.session)), SessionChanged(session))
    words = drawn(source.draw(seen, Frame(80, 10)))
    assert "/x/train.py:3  ended; the last stop before was here" in words
    assert "opt.step()" in words
    assert "▶" not in words
    assert "✓" not in words, "what ran last is not known"
    known = msgspec.structs.replace(stop, boundary=Boundary(400, 42, "step", None), line_done=("/x/train.py", 3))
    rank = msgspec.structs.replace(session.ranks[0], stop=known)
    told = reduced(seen, SessionChanged(msgspec.structs.replace(session, ranks=(rank,))))
    words = drawn(source.draw(told, Frame(80, 10)))
    assert "/x/train.py:3  ended; the last phase was here" in words
    assert "✓" in words
    never = msgspec.structs.replace(before, session=msgspec.structs.replace(session, state="exited", ranks=()))
    assert "no training loop was seen" in " ".join(drawn(source.draw(never, Frame(80, 10))).split())
    never = msgspec.structs.replace(never, answers={})
    assert "no training loop was seen" in " ".join(drawn(model.draw(never, Frame(80, 10))).split())


def test_what_a_script_said_before_it_ended_without_training_is_where_the_user_looks() -> None:
    begun = msgspec.structs.replace(
        at(None, "starting"), output=Transcript().fed(0, b"usage: x\nx: error: no --lr\n\n")
    )
    ended = msgspec.structs.replace(begun.session, state="exited", exit_status=2)
    after = reduced(begun, SessionChanged(ended))
    assert session_sentence(after) == (
        "mnist.py ended with status 2 before it trained: x: error: no --lr (q to leave, R to run it again)"
    )
    assert panel_to_show(begun, after) == "output"
    assert panel_to_show(after, after) == ""
    well = reduced(begun, SessionChanged(msgspec.structs.replace(ended, exit_status=0)))
    assert panel_to_show(begun, well) == ""
    assert "it never trained: no training loop was seen" in session_sentence(well)


def test_a_tensor_of_one_number_shows_that_number_and_any_other_its_norm() -> None:
    snapshot = full()
    known = snapshot.answer(OBJECTS)
    assert known is not None
    row = ObjectRow("model.scale", "scale", "parameter", 1, "", (), "float32", "cpu", 1, 4, True, "optimizer[0]")
    found = Summary("model.scale", 0.5, 0.125, finite=True, value=-0.5, grad_value=-0.125)
    summaries = {**snapshot.summaries, "model.scale": found}
    for others in (known.rows, ()):
        objects = msgspec.structs.replace(known, rows=(*others, row))
        drawing = model.draw(knowing(snapshot, objects, summaries=summaries), Frame(80, 16))
        scale = next(line for line in drawn(drawing).splitlines() if "scale" in line)
        sign = "=" if others else ""
        assert f" {sign}-0.5000 " in scale
        assert f" {sign}-0.1250" in scale
        assert ("a value, no norm" in shown(drawing.foot)) == bool(others)
        assert ("norm" in text(drawing.head[0])) == bool(others)


def test_parameters_that_no_optimizer_holds_are_given_away_where_there_is_room() -> None:
    objects = model_objects()
    rows = tuple(msgspec.structs.replace(row, owner="") for row in objects.rows)
    snapshot = knowing(full(), msgspec.structs.replace(objects, rows=rows))
    for width in (120, 80, 62):
        assert "no optimizer" in drawn(model.draw(snapshot, Frame(width, 16)))
        assert "no optimizer" not in drawn(model.draw(full(), Frame(width, 16)))


def test_only_the_rows_in_view_are_drawn() -> None:
    drawing = model.draw(full(), Frame(80, 4, top=3))
    assert len(drawing.body) == 3
    assert drawing.total == 9
    assert model.visible_tensors(full(), 3, 3) == ("model.conv1.bias", "model.fc1.weight")


def test_the_tensor_panel_holds_figures_histogram_and_numbers() -> None:
    words = drawn(tensor.draw(full(), Frame(80, 16, focused=True), row=1, column=2))
    assert "model.conv1.weight" in words
    assert "2×3" in words
    assert "[1, 2]" in words
    assert "1 nan" in words
    assert "-1.250" in words
    assert "nan" in words
    assert "1.00e-9" in words
    assert "grad" in words


@pytest.mark.parametrize(
    ("shape", "row", "column", "index"),
    [((), 0, 0, ()), ((5,), 0, 3, (3,)), ((2, 3), 1, 2, (1, 2)), ((4, 2, 3, 5), 17, 4, (2, 1, 2, 4))],
)
def test_a_cell_of_the_table_has_the_index_that_python_gives_it(
    shape: tuple[int, ...], row: int, column: int, index: tuple[int, ...]
) -> None:
    view = TensorView("w", "parameter", shape, "float32", "cpu", 0, True, 0)
    assert tensor.index_of(view, row, column) == index


def test_the_optimizer_panel_lists_hyperparameters_and_state_table() -> None:
    words = drawn(optimizer.draw(full(), Frame(80, 16)))
    assert "optimizer Adam  12 steps" in words
    assert "lr                     0.001" in words
    row = next(line for line in words.splitlines() if "model.conv1.weight" in line)
    assert row.split()[-2:] == ["12", "2.000"]


def test_at_the_end_of_a_script_that_has_let_go_of_all_nothing_is_announced_to_be_found() -> None:
    stop = stop_after("step", reason="exit")
    ended = at(msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, next=None, opens=None)))
    for view, what in ((model, "model"), (optimizer, "optimizer")):
        words = " ".join(drawn(view.draw(ended, Frame(80, 16))).split())
        assert f"No {what} is alive any more, at the end of the script." in words
        assert "yet" not in words
        assert "found at its first" in drawn(view.draw(at(stop_after("data")), Frame(120, 16)))


def test_the_chart_has_axes_with_figures_and_falls_with_the_loss() -> None:
    lines = chart.chart(loss.curves(full().losses, ()), 70, 12, loss.Glyphs())
    assert len(lines) == 12
    assert "2.000" in text(lines[0])
    assert "update 1" in text(lines[-1])
    assert text(lines[-1]).rstrip().endswith("59")
    first, last = text(lines[0]), text(lines[-3])
    assert any(0x2800 < ord(character) < 0x2900 for character in first[9:20])
    assert any(0x2800 < ord(character) < 0x2900 for character in last[40:])


def test_without_a_backward_the_chart_says_what_is_missing() -> None:
    forward, computed = (drawn(loss.draw(at(stop_after(done)), Frame(78, 12))) for done in ("forward", "backward"))
    assert forward.split("\n")[0] == "no loss yet"
    assert computed.split("\n")[0] == "no backward yet", "the header has shown a loss"
    assert "No loss yet" not in computed


def test_a_watched_value_is_drawn_beside_the_loss_in_its_own_range_which_the_legend_tells() -> None:
    points = tuple(Point(update, update * 100.0) for update in range(1, 60))
    snapshot = msgspec.structs.replace(full(), watches=(Series("norm", points),))
    drawing = loss.draw(snapshot, Frame(70, 12))
    legend = text(drawing.head[0])
    assert "loss " in legend
    assert "norm 5900 (100.0 to 5900)" in legend
    assert len(drawing.head) + len(drawing.body) == 12
    assert "2.000" in text(drawing.body[0])
    colours = {span.role for line in drawing.body for span in line if span.text.strip()}
    assert {"chart.0", "chart.1"} <= colours
    plain_characters = loss.draw(snapshot, Frame(70, 12, glyphs=ASCII))
    assert {"*", "a"} <= set(drawn(plain_characters)) <= set(map(chr, range(128)))


@pytest.mark.parametrize("width", [24, 78])
def test_in_the_legend_a_long_name_gives_way_and_no_figure_does(width: int) -> None:
    points = (Point(1, 100.0), Point(2, 5900.0))
    long = "norm('the_whole_model_under_training.a_backbone_of_many_resolutions.encoder_block_number_0.weight')"
    one = msgspec.structs.replace(full(), losses=(), watches=(Series(long, points),))
    assert "… 5900 " in text(loss.draw(one, Frame(width, 12)).title)
    both = msgspec.structs.replace(full(), watches=(Series(long, points),))
    words = "\n".join(map(text, loss.draw(both, Frame(width, 12)).head))
    assert "… 5900 " in words
    assert ("(100.0 to 5900)" in words) == (width > 40)


def test_a_legend_of_many_lines_takes_rows_and_leaves_room_for_the_chart() -> None:
    many = tuple(Series(f"value{number}", (Point(1, 0.5), Point(2, number))) for number in range(16))
    drawing = loss.draw(msgspec.structs.replace(full(), losses=(), watches=many), Frame(60, 10))
    assert "16 lines" in text(drawing.title)
    assert len(drawing.head) + len(drawing.body) == 10
    assert len(drawing.body) >= 5
    assert widest(drawing.head) <= 60


def test_a_loss_that_is_not_finite_is_said_and_does_not_break_the_chart() -> None:
    points = (LossPoint(1, 0, 1.0), LossPoint(2, 0, math.nan), LossPoint(3, 0, math.inf), LossPoint(4, 0, 0.5))
    snapshot = msgspec.structs.replace(full(), losses=grown((), LossPoints(0, ("loss",), points)))
    assert "2 not finite" in drawn(loss.draw(snapshot, Frame(80, 12)))
    only = msgspec.structs.replace(full(), losses=grown((), LossPoints(0, ("loss",), points[1:3])))
    assert "nan" in drawn(loss.draw(only, Frame(80, 12)))


def test_each_loss_has_a_curve_and_a_name() -> None:
    points = tuple(LossPoint(n, n % 2, float(n)) for n in range(10))
    snapshot = msgspec.structs.replace(full(), losses=grown((), LossPoints(0, ("loss_d", "loss_g"), points)))
    words = drawn(loss.draw(snapshot, Frame(80, 12)))
    assert "loss_d" in words
    assert "loss_g" in words


def test_a_long_history_is_thinned_and_keeps_its_spikes() -> None:
    history = grown((), LossPoints(0, ("loss",), (LossPoint(0, 0, 99.0),)))
    for start in range(1, 40_000, 1000):
        points = tuple(LossPoint(n, 0, 99.0 if n == 5000 else 1.0) for n in range(start, start + 1000))
        history = grown(history, LossPoints(0, ("loss",), points))
    (series,) = history
    assert len(series.points) <= MOST_POINTS
    assert 99.0 in [point.value for point in series.points if point.update == 5000]


def test_the_source_names_the_phases_in_its_margin() -> None:
    words = drawn(source.draw(full(), Frame(80, 10)))
    done, following = (next(line for line in words.splitlines() if code in line) for code in ("backward()", "step()"))
    assert "backward" in done.split("2")[0]
    assert "✓" in done
    assert "▶" in following


@pytest.mark.parametrize(
    ("started_in", "named"), [("/x", "train.py:"), ("/x/", "train.py:"), ("/y", "/x/train.py:"), ("", "/x/train.py:")]
)
def test_a_file_is_named_from_where_the_script_was_started(started_in: str, named: str) -> None:
    before = full()
    session = msgspec.structs.replace(before.session, directory=started_in)
    title = drawn(source.draw(msgspec.structs.replace(before, session=session), Frame(80, 10))).splitlines()[0]
    assert title.split()[0].startswith(named)


def test_a_file_that_cannot_be_read_says_why() -> None:
    snapshot = msgspec.structs.replace(full(), sources={"/x/train.py": SourceText("/x/train.py", "", "it is gone")})
    assert "it is gone" in drawn(source.draw(snapshot, Frame(80, 10)))


def test_breakpoints_and_edits_are_listed() -> None:
    words = drawn(breaks.draw(full(), Frame(80, 10)))
    assert "● before backward  met 2 times" in words
    assert "○ update 40  off" in words
    assert "model.fc1.weight[0, 3]  0.12 → 0.06  (old * 0.5)" in words


def test_what_is_to_be_known_of_how_a_condition_is_evaluated_is_listed_with_its_breakpoint() -> None:
    snapshot = full()
    first, *others = snapshot.session.breakpoints
    first = msgspec.structs.replace(first, remark="waits for the device: Python needs a number of it on the way")
    session = msgspec.structs.replace(snapshot.session, breakpoints=(first, *others))
    words = drawn(breaks.draw(msgspec.structs.replace(snapshot, session=session), Frame(100, 10)))
    assert "backward  met 2 times  waits for the device: Python needs a number of it on the way" in words
    words = drawn(breaks.draw(msgspec.structs.replace(snapshot, session=session), Frame(60, 10)))
    assert "before backward  met 2 times  waits for the device\n" in words


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__.rpartition(".")[2])
def test_an_empty_panel_teaches(view) -> None:  # type: ignore[no-untyped-def]
    words = drawn(view.draw(at(None, "starting"), Frame(80, 10)))
    assert len(words.split()) > 5


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__.rpartition(".")[2])
def test_under_ascii_a_panel_has_plain_characters_only(view) -> None:  # type: ignore[no-untyped-def]
    assert drawn(view.draw(full(), Frame(80, 16, glyphs=ASCII))).isascii()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__.rpartition(".")[2])
@given(st.integers(1, 170), st.integers(1, 40), st.integers(0, 5))
def test_a_panel_draws_at_any_size(view, width: int, height: int, top: int) -> None:  # type: ignore[no-untyped-def]
    for snapshot in (full(), at(None, "starting")):
        drawing = view.draw(snapshot, Frame(width, height, top=top))
        if width >= 40 and height >= 3:
            assert widest([*drawing.head, *drawing.body]) <= width
            assert len(drawing.head) + len(drawing.body) <= max(height, len(drawing.head))


@given(st.floats() | st.integers(-(10**15), 10**15) | st.none())
def test_a_figure_is_short(value: float | None) -> None:
    assert 0 < len(figure(value)) <= 9


@pytest.mark.parametrize("width", [80, 40, 34])
def test_of_an_edit_the_numbers_are_shown_also_where_there_is_little_room(width: int) -> None:
    line = next(line for line in drawn(breaks.draw(full(), Frame(width, 8))).splitlines() if "→" in line)
    assert "0.12 → 0.06" in line
    assert line.rstrip().endswith("update 3")
    assert len(line.rstrip()) <= width


def test_an_edit_that_was_taken_back_is_said_to_be() -> None:
    edit = Edit(1, "model.fc1.weight", (0, 3), "old * 0.5", "0.12", "0.06", 7, 3, undone=True)
    assert edit_words(edit, UNICODE) == "undone: model.fc1.weight[0, 3] is 0.12 again"


def moving(*rows: tuple[str, str]) -> Snapshot:
    """A snapshot after zero_grad of update 5, with these variables by name and kind."""
    objects = model_objects()
    group = ObjectRow(" variables", "in this update", "group", 0)
    variables = tuple(ObjectRow(name, name, "variable", 1, kind, (2,), "float32", "cpu") for name, kind in rows)
    made = {"batch": 5, "output": 4, "loss": 4}
    stop = stop_after("zero_grad", update=5, made_in=made)
    return knowing(at(stop), msgspec.structs.replace(objects, rows=(*objects.rows, group, *variables)))


@pytest.mark.parametrize("width", [60, 80, 160])
def test_output_and_loss_of_the_update_before_are_not_said_to_be_of_this_one(width: int) -> None:
    words = drawn(model.draw(moving(("x", "batch"), ("y_hat", "output"), ("loss", "loss")), Frame(width, 20)))
    assert "in this update" in words
    assert "y_hat  of update 4" in words
    assert "loss  of update 4" in words
    assert "x  of" not in words
    words = drawn(model.draw(moving(("y_hat", "output"), ("loss", "loss")), Frame(width, 20)))
    assert "in this update" not in words
    assert words.count("of update 4") == 1


def test_a_step_that_nobody_watched_has_no_ratio() -> None:
    rows = model_objects().rows
    summaries = {row.name: Summary(row.name, 1.0, 0.5) for row in rows}
    snapshot = knowing(at(stop_after("zero_grad")), model_objects(), summaries=summaries)
    weight = next(line for line in drawn(model.draw(snapshot, Frame(100, 20))).splitlines() if "weight" in line)
    assert " - " in weight


def test_parameters_in_no_model_are_not_counted_as_the_models() -> None:
    objects = model_objects()
    loose = (
        ObjectRow(" parameters", "in no model", "group", 0),
        ObjectRow("optimizer.param_groups[0]['params'][2]", "old", "parameter", 1, "", (2,), "float32", "cpu"),
    )
    rows = (*objects.rows, *loose)
    snapshot = knowing(at(stop_after("step")), msgspec.structs.replace(objects, rows=rows))
    assert "4 parameters, 1 more in no model" in shown([model.draw(snapshot, Frame(80, 20)).title])
    whole = knowing(snapshot, objects)
    assert "no model" not in shown([model.draw(whole, Frame(80, 20)).title])


def test_at_160_columns_the_model_shows_how_far_a_step_has_moved_a_parameter() -> None:
    width = boxes("wide", 160, 40, order(tuple(PANELS.values()), ["model"]))["model"].width
    rows = model_objects().rows
    summaries = {row.name: Summary(row.name, 1.0, 0.5, 0.0125) for row in rows}
    snapshot = knowing(full(), model_objects(), summaries=summaries)
    words = drawn(model.draw(snapshot, Frame(width, 16)))
    assert "Δ/‖w‖" in words
    assert "0.0125" in words
    assert "float32" in words.splitlines()[0], "the type of all, where no column says it"


@pytest.mark.parametrize("height", [6, 7, 9, 12, 13])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_of_one_point_the_axis_has_its_own_figure_at_its_own_height(height: int, glyphs: Glyphs) -> None:
    one = loss.curves((Series("loss", (Point(1, 2.306),)),), ())
    lines = [text(line) for line in chart.chart(one, 60, height, glyphs)]
    (labelled,) = [line for line in lines if "2.306" in line]
    assert labelled[chart.GUTTER :].strip(), "the point is in that row"
    assert sum(line[: chart.GUTTER - 1].strip() != "" for line in lines[:-1]) == 1
    two = loss.curves((Series("loss", (Point(1, 2.306), Point(2, 2.1))),), ())
    words = shown(chart.chart(two, 60, height, glyphs))
    assert "2.306" in words
    assert "2.100" in words


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_of_a_single_number_there_is_no_picture(shape: tuple[int, ...]) -> None:
    view = TensorView("w", "parameter", shape, "float32", "cpu", 4, True, 0, parts=full().answer(TENSOR).parts)
    layout = tensor_layout.divided(Frame(100, 40), view, "value", None)
    assert (layout.mode, layout.histogram, layout.maps) == ("numbers", False, None)
    assert tensor_layout.divided(Frame(100, 40), view, "value", "map").mode == "numbers"
