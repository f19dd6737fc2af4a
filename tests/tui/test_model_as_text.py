"""What the Model panel shows of rows, folds, orders and filters, as text."""

from __future__ import annotations

import re

import msgspec
import pytest
from tui.builders import at, knowing, model_objects, shown, stop_after, widest

from stepdbg.protocol.messages import Effects, ObjectRow, Objects, Summary
from stepdbg.tui.drawing.lines import ASCII, Drawing, Frame, target_at, text, width_of
from stepdbg.tui.panels.model import view as model
from stepdbg.tui.panels.model.filter_input import typed
from stepdbg.tui.panels.model.rows import FoldTarget, SortTarget
from stepdbg.tui.panels.model.view import Listing
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget


def seen(objects: Objects | None = None, **fields: object) -> Snapshot:
    return knowing(at(stop_after("backward")), objects or model_objects(), **fields)


def drawn(drawing: Drawing) -> str:
    return shown([drawing.title, *drawing.head, *drawing.body, *drawing.foot])


def changed(objects: Objects, place: int, **fields: object) -> Objects:
    rows = list(objects.rows)
    rows[place] = msgspec.structs.replace(rows[place], **fields)
    return msgspec.structs.replace(objects, rows=tuple(rows))


def test_modules_have_a_sign_that_a_click_folds_and_folded_ones_another() -> None:
    objects = changed(model_objects(), 1, folded=True, bytes=320)
    drawing = model.draw(seen(objects), Frame(120, 14))
    line = next(line for line in drawing.body if "conv1" in text(line))
    assert "▸ conv1  Conv2d  320 bytes" in text(line)
    assert target_at(line, text(line).index("▸")) == FoldTarget("model.conv1")
    assert target_at(line, text(line).index("conv1")) is None
    assert any("▾ fc1  Linear" in text(line) for line in drawing.body)
    assert drawn(model.draw(seen(objects), Frame(100, 14, glyphs=ASCII))).isascii()


def test_tied_parameters_stand_once_with_their_other_names() -> None:
    objects = changed(model_objects(), 2, also=("model.head.weight",))
    assert "weight  = model.head.weight" in drawn(model.draw(seen(objects), Frame(140, 14)))
    several = changed(model_objects(), 2, also=("model.a", "model.b", "model.c"))
    assert "weight  = model.a and 2 more" in drawn(model.draw(seen(several), Frame(140, 14)))


@pytest.mark.parametrize("width", [40, 49, 60, 80, 140])
def test_a_tied_parameter_keeps_the_end_of_its_own_name_before_that_of_its_other(width: int) -> None:
    objects = changed(model_objects(), 2, label="model.embedding.weight", depth=0, also=("model.head.weight",))
    (line,) = [line for line in model.draw(seen(objects), Frame(width, 14)).body if "  =" in text(line)]
    assert re.search(r"(model\.|…)\S*weight  = ?(…|model\.)", text(line)), text(line)
    assert width_of(line) <= width


@pytest.mark.parametrize("width", [80, 150])
def test_a_heading_that_is_sorted_by_keeps_its_words_where_they_have_room(width: int) -> None:
    heading = text(model.draw(seen(), Frame(width, 14), Listing(order="ratio")).head[0])
    assert " Δ/‖w‖▾" in heading


@pytest.mark.parametrize("width", [52, 60, 80])
def test_the_class_of_a_module_has_the_room_of_the_columns_that_it_leaves_empty(width: int) -> None:
    objects = changed(model_objects(), 0, cls="TransformerEncoder")
    drawing = model.draw(seen(objects), Frame(width, 14))
    assert "shape" in text(drawing.head[0])
    assert "▾ model  TransformerEncoder" in drawn(drawing)
    assert all(width_of(line) <= width for line in drawing.body)


def test_a_wide_panel_has_all_columns() -> None:
    (heading,) = model.draw(seen(), Frame(150, 14)).head
    assert text(heading).split() == ["name", "shape", "dtype", "norm", "grad", "norm", "Δ/‖w‖", "in", "device"]
    frozen = changed(model_objects(), 2, trainable=False)
    assert "frozen" in drawn(model.draw(seen(frozen), Frame(150, 14)))


def test_a_heading_says_what_is_sorted_by_and_a_click_on_it_sorts() -> None:
    drawing = model.draw(seen(), Frame(100, 14), Listing(order="grad"))
    (heading,) = drawing.head
    assert "grad norm▾" in text(heading)
    assert "by gradient norm" in text(drawing.title)
    targets = {target_at(heading, place) for place in range(len(text(heading)))} - {None}
    assert targets == {SortTarget(order) for order in ("name", "size", "norm", "grad", "ratio")}


def test_the_filter_stands_below_with_what_it_finds() -> None:
    objects = msgspec.structs.replace(model_objects(), matches=3)
    held = model.draw(seen(objects), Frame(80, 14), Listing(filter="class:Conv"))
    foot = held.foot[-1]
    assert text(foot) == " / class:Conv  3 tensors  esc shows all"
    assert target_at(foot, text(foot).index("esc")) == ActionTarget("find_clear")
    begun = model.draw(seen(objects), Frame(120, 14), Listing(typed="")).foot[-1]
    assert "class:Linear" in text(begun)
    wrong = model.draw(seen(objects), Frame(80, 14), Listing("tree", "a", "x:", "x: is not known")).foot[-1]
    assert "x: is not known" in text(wrong)
    assert len(model.draw(seen(objects), Frame(80, 8), Listing(filter="class:Conv")).body) == 8 - 1 - 1
    for width in range(1, 90):
        assert widest(model.draw(seen(objects), Frame(width, 14), Listing(filter="class:Conv")).foot) <= width


def test_a_filter_that_finds_nothing_says_so_and_what_there_is() -> None:
    nothing = Objects(1, (), total=0)
    words = drawn(model.draw(seen(nothing), Frame(80, 14), Listing(filter="zzz")))
    assert "No tensor is found by `zzz`" in words
    assert "grad:none" in words


def test_of_a_window_only_what_is_known_is_drawn() -> None:
    rows = tuple(ObjectRow(f"m.{place}", str(place), "parameter", 0) for place in range(100, 130))
    objects = Objects(1, rows, first=100, total=1000)
    drawing = model.draw(seen(objects), Frame(80, 11, top=125))
    assert drawing.total == 1000
    assert [text(line).split()[0] for line in drawing.body] == ["125", "126", "127", "128", "129", *"…" * 5]
    assert model.visible_tensors(seen(objects), 125, 10) == tuple(f"m.{place}" for place in range(125, 130))
    assert model.row_at(objects, 99) is None


def test_where_the_stop_cannot_name_all_the_figures_tell_what_was_done() -> None:
    stop = stop_after("backward", effects=Effects("fingerprint", left_out=100_000))
    summary = Summary("model.fc1.bias", 1.0, 2.0, marks=("", "created", ""))
    snapshot = knowing(
        at(stop), model_objects(), summaries={"model.fc1.bias": summary}, summaries_at=stop.boundary.index
    )
    assert re.search(r"\+ +2\.000", drawn(model.draw(snapshot, Frame(100, 14))))
    earlier = msgspec.structs.replace(snapshot, summaries_at=stop.boundary.index - 1)
    assert not re.search(r"\+ +2\.000", drawn(model.draw(earlier, Frame(100, 14))))


def test_a_line_is_typed_key_by_key() -> None:
    assert typed("ab", "c", "c") == "abc"
    assert typed("ab", "space", " ") == "ab "
    assert typed("ab", "backspace", "\x7f") == "a"
    assert typed("ab cd", "ctrl+w", None) == "ab "
    assert typed("ab", "ctrl+w", None) == typed("ab cd", "ctrl+u", None) == ""
    assert typed("ab", "enter", "\r") is None
    assert typed("ab", "f5", None) is None


@pytest.mark.parametrize("width", [*range(30, 101), 140])
@pytest.mark.parametrize("depth", [0, 2, 6])
def test_a_mark_of_a_fault_is_the_last_thing_to_give_way(width: int, depth: int) -> None:
    place = 3
    fields = {"label": "a_rather_long_name_of_a_weight", "depth": depth}

    def line(objects: Objects) -> str:
        return text(model.draw(seen(objects), Frame(width, 14)).body[place])

    lost = line(changed(model_objects(), place, owner="", **fields))
    assert "no optimizer" in lost
    assert "weight" in lost
    assert len(lost) <= width
    assert "frozen" in line(changed(model_objects(), place, trainable=False, **fields))
    objects = changed(model_objects(), place, **fields)
    figures = {objects.rows[place].name: Summary(objects.rows[place].name, 1234.5, float("nan"), finite=False)}
    told = model.draw(
        msgspec.structs.replace(seen(objects, summaries=figures), summaries_at=seen().boundary), Frame(width, 14)
    )
    assert "!" in text(told.body[place])


def test_the_mark_of_what_is_not_finite_stands_before_the_figure_that_is_not() -> None:
    place, objects = 3, model_objects()
    name = objects.rows[place].name

    def line(norm: float, grad: float) -> str:
        shot = seen(objects, summaries={name: Summary(name, norm, grad, finite=False)})
        return text(model.draw(msgspec.structs.replace(shot, summaries_at=shot.boundary), Frame(100, 14)).body[place])

    nan = float("nan")
    assert re.search(r"  2\.623  !\S? +nan", line(2.623, nan))
    assert re.search(r"  !nan   \S? +0\.5000", line(nan, 0.5))


@pytest.mark.parametrize("width", [30, 48, 80, 140])
def test_what_is_in_eval_mode_says_so_in_its_row(width: int) -> None:
    snapshot = knowing(at(stop_after("backward", evaluating=("model.bn1",))), changed(model_objects(), 7, depth=4))
    lines = [text(line) for line in model.draw(snapshot, Frame(width, 14)).body]
    assert [("eval" in line) for line in lines] == ["bn1" in line for line in lines]
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [160, 80, 60])
def test_a_folded_module_has_the_figures_of_all_its_parameters_in_the_columns_of_theirs(width: int) -> None:
    objects = changed(model_objects(), 1, folded=True, bytes=320, elements=80)
    objects = msgspec.structs.replace(objects, rows=(*objects.rows[:2], *objects.rows[4:]))
    figures = [Summary("model.conv1", 2.5, 0.25), Summary("model.fc1.weight", 1.5, 0.75)]
    snapshot = seen(objects, summaries={one.object: one for one in figures}, summaries_at=seen().boundary)
    lines = [text(line) for line in model.draw(snapshot, Frame(width, 14)).body]
    module, weight = (next(line for line in lines if name in line) for name in ("conv1", "weight"))
    assert module.index("2.500") == weight.index("1.500")
    assert ("0.2500" in module) == ("0.7500" in weight)
    assert module.find("0.2500") == weight.find("0.7500")
    assert "Conv2d  320 bytes  " in module
    assert ("  80 elements  " in module) == (width > 60)
    broken = [Summary("model.conv1", float("nan"), float("inf"), finite=False)]
    snapshot = seen(objects, summaries={one.object: one for one in broken}, summaries_at=seen().boundary)
    drawing = model.draw(snapshot, Frame(width, 14))
    assert "!nan" in next(text(line) for line in drawing.body if "conv1" in text(line))
