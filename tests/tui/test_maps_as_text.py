"""Heat maps and pictures of the Tensor panel as text: in colours by roles, and by characters where there are none."""

from __future__ import annotations

import math
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.builders import at, knowing, shown, stop_after, widest

from stepdbg.protocol.messages import HeatMap, HeatMaps, Kind, Pictures, Result, TensorPart, TensorView, Window
from stepdbg.tui.drawing.lines import ASCII, UNICODE, Drawing, Frame, Line, target_at, text, width_of
from stepdbg.tui.drawing.shades import letter_of
from stepdbg.tui.drawing.tones import tone_style
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor import images as pictures
from stepdbg.tui.panels.tensor import view as tensor
from stepdbg.tui.panels.tensor.targets import CellTarget
from stepdbg.tui.state.snapshot import Snapshot

NO_COLOUR = UNICODE._replace(half_blocks=False)


def view(shape: tuple[int, ...], *labels: str, kind: Kind = "parameter", dtype: str = "float32") -> TensorView:
    parts = tuple(TensorPart(label, f"w.{label}", shape=shape) for label in labels or ("value",))
    return TensorView(
        "w", kind, shape, dtype, "cpu", 4, True, 0, parts=parts,
        window=Window(0, 0, 1, 1, math.prod(shape[:-1]), shape[-1], "d", struct.pack("<d", 0.5)),
    )  # fmt: skip


def maps(levels: bytes, rows: int, columns: int, *labels: str, block: tuple[int, int] = (1, 1)) -> HeatMaps:
    found = tuple(HeatMap(f"w.{label}", rows, columns, levels, -0.5, 0.5, True, 0.25) for label in labels or ("value",))
    return HeatMaps((), rows * block[0], columns * block[1], *block, found)


def shot(found: TensorView, *more: Result) -> Snapshot:
    return knowing(at(stop_after("backward")), found, *more)


def lines_of(drawing: Drawing) -> list[Line]:
    return [*drawing.head, *drawing.body]


def test_a_map_is_drawn_in_half_blocks_with_its_scale_and_the_value_under_the_cursor() -> None:
    levels = bytes([0, 15, 5, 5])
    drawing = tensor.draw(shot(view((2, 2)), maps(levels, 2, 2)), Frame(40, 12), row=1, column=1, mode="map")
    lines = lines_of(drawing)
    words = shown(lines)
    assert "[1, 1]" in text(drawing.title)
    assert "value 0.2500" in words
    assert "-0.5000 ▌▌▌▌▌▌▌▌ 0.5000" in words
    roles = {span.role for line in lines for span in line}
    assert "tone::d0" in roles
    assert "tone::d15" in roles
    assert any("here" in role for role in roles)


@pytest.mark.parametrize("glyphs", [ASCII, NO_COLOUR])
def test_without_colours_levels_are_characters(glyphs) -> None:  # type: ignore[no-untyped-def]
    snapshot = shot(view((1, 16)), maps(bytes(range(16)), 1, 16))
    lines = lines_of(tensor.draw(snapshot, Frame(30, 12, glyphs=glyphs), mode="map"))
    assert "   ..:--=++**#%%@" in [text(line) for line in lines]
    assert "[ .:-=+*#%@]" in shown(lines)
    assert "tone" not in "".join(span.role for line in lines for span in line)


def test_the_characters_rise_with_the_level() -> None:
    assert "".join(letter_of(f"d{level}") for level in range(16)) == "  ..:--=++**#%%@"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_what_is_not_finite_has_a_sign_of_its_own(glyphs) -> None:  # type: ignore[no-untyped-def]
    levels = bytes([16, 17, 18, 3])
    drawing = tensor.draw(shot(view((1, 4)), maps(levels, 1, 4)), Frame(60, 12, glyphs=glyphs), row=5, mode="map")
    words = shown(lines_of(drawing))
    assert "!" in words
    assert "^" in words
    assert "! nan  ^ inf  v -inf" in words


def test_maps_of_value_gradient_and_state_stand_side_by_side_where_there_is_room() -> None:
    labels = ("value", "grad", "exp_avg", "exp_avg_sq")
    snapshot = shot(view((4, 4), *labels), maps(bytes(16), 4, 4, *labels))
    wide = shown(lines_of(tensor.draw(snapshot, Frame(150, 30), mode="map")))
    row = next(line for line in wide.splitlines() if line.count("0.2500") == 4)
    assert [word for word in row.split() if not word.startswith("0")] == list(labels)
    narrow = shown(lines_of(tensor.draw(snapshot, Frame(58, 30), part="value", mode="map")))
    assert [line.split()[::2] for line in narrow.splitlines() if "0.2500" in line] == [["value", "grad"]]


def test_a_map_stands_beside_numbers_that_leave_it_the_width_and_none_of_them_moves() -> None:
    snapshot = shot(view((6, 3)), maps(bytes(18), 6, 3))
    alone = tensor.draw(snapshot, Frame(62, 16), mode="numbers")
    both = tensor.draw(snapshot, Frame(62, 16), mode=None)
    toned = lambda drawing: any(span.role.startswith("tone:") for line in drawing.body for span in line)  # noqa: E731
    assert toned(both)
    assert max(map(width_of, both.body)) <= 62
    for before, after in zip(alone.body, both.body, strict=False):
        assert text(after).startswith(text(before).rstrip()), "the numbers stand where they stood"
    assert both.total == alone.total
    wide = shot(view((6, 4)), maps(bytes(24), 6, 4))
    assert not toned(tensor.draw(wide, Frame(62, 16), mode=None))


def test_many_rows_of_few_columns_take_half_the_width_at_least_and_a_caption_is_not_cut_in_a_word() -> None:
    planned = heat.plan(view((64, 2)), "value", 26, 12, UNICODE)
    assert 12 <= planned.columns * planned.wide <= 26
    assert planned.high == 1
    square = heat.plan(view((8, 8)), "value", 100, 12, UNICODE)
    assert square.wide == square.high, "what can be drawn as it is stays so"
    many = shot(view((8, 1, 3, 3)), msgspec.structs.replace(maps(bytes(9 * 8), 3, 3), tiles=8))
    caption = text(lines_of(tensor.draw(many, Frame(26, 30), mode="map"))[-1])
    assert caption == " slices 0-7 of 8", "the slice under the cursor gives way whole"


def test_a_pooled_map_says_how_and_a_click_on_a_pixel_finds_its_first_element() -> None:
    snapshot = shot(view((6, 40)), maps(bytes(2 * 10), 2, 10, block=(3, 4)))
    lines = lines_of(tensor.draw(snapshot, Frame(60, 6), row=5, column=0, mode="map"))
    assert "a pixel: extreme of 3×4" in shown(lines)
    pixels = next(line for line in lines if any(span.role.startswith("tone") for span in line))
    targets = [target_at(pixels, x) for x in range(60)]
    assert CellTarget(0, 0) in targets
    assert CellTarget(0, 36) in targets


def test_a_tensor_of_many_dimensions_is_shown_slice_by_slice() -> None:
    assert heat.slice_at((8, 2, 3, 5), 17) == ((2, 1), 2)
    assert heat.slice_at((3, 5), 2) == ((), 2)
    assert heat.slice_at((5,), 0) == ((), 0)
    snapshot = shot(view((8, 2, 3, 5)), maps(bytes(15), 3, 5))
    assert "slice [2, 1] of 8×2" in shown(lines_of(tensor.draw(snapshot, Frame(60, 20), row=17, mode="map")))


def test_the_kernels_of_a_convolution_stand_as_tiles_and_each_pixel_finds_its_element() -> None:
    found = view((8, 1, 3, 3), kind="buffer")
    planned = heat.plan(found, "value", 60, 20, UNICODE)
    assert planned.tiles == 8
    page = HeatMaps(
        (), 3, 3, 1, 1, (HeatMap("w.value", 3, 3, bytes(72), -0.5, 0.5, True, 0.25),), first=0, tiles=8
    )  # fmt: skip
    lines = lines_of(tensor.draw(shot(found, page), Frame(60, 24), row=4, mode="map"))
    targets = {span.target for line in lines for span in line if span.role.startswith("tone")}
    assert targets == {CellTarget(row, column) for row in range(24) for column in range(3)} | {None}
    assert "slices 0-7 of 8  slice [1, 0] of 8×1" in shown(lines)


def test_images_are_known_by_their_shape() -> None:
    def found(shape: tuple[int, ...], dtype: str = "float32") -> tuple[int, ...] | None:
        return pictures.images_in(view(shape, kind="batch", dtype=dtype))

    assert found((64, 1, 28, 28)) == (64, 1, 28, 28, 28)
    assert found((64, 3, 32, 24)) == (64, 3, 32, 24, 96)
    assert found((5, 28, 20)) == (5, 1, 28, 20, 28)
    assert found((64, 784)) == (64, 1, 28, 28, 1)
    assert found((28, 20)) == (1, 1, 28, 20, 28)
    assert pictures.images_in(view((28, 20))) is None, "of a matrix of weights the heat map is the picture"
    assert found((8, 1, 3, 3)) is None
    assert found((4, 2, 28, 28)) is None
    assert found((2, 3, 4)) is None
    assert found((5,)) is None


def test_pictures_stand_under_their_labels_and_grey_levels_are_kept() -> None:
    batch = view((64, 1, 28, 28), kind="batch")
    strip = pictures.strip(pictures.images_in(batch), 80, 24, UNICODE)
    assert strip.number >= 4
    levels = bytes([15] * (strip.rows * strip.columns)) + bytes(3 * strip.rows * strip.columns)
    answer = Pictures("w", 0, 4, 1, strip.rows, strip.columns, levels, 0, 1, ("7", "2", "1", "0"), "y")
    lines = lines_of(tensor.draw(shot(batch, answer), Frame(80, 28), row=28, mode=None))
    words = shown(lines)
    assert "0 y=7" in words
    assert "›1 y=2" in words
    roles = [span.role for line in lines for span in line]
    assert roles.count("tone::g15") == strip.columns * strip.lines
    plain = pictures.strip(pictures.images_in(batch), 80, 24, ASCII)
    assert plain.rows == plain.lines


def test_colours_of_a_picture_are_kept_in_sixteen_levels() -> None:
    batch = view((1, 3, 8, 8), kind="batch")
    levels = bytes([15] * 64 + [8] * 64 + [0] * 64)
    answer = Pictures("w", 0, 1, 3, 8, 8, levels, 0, 1)
    lines = lines_of(tensor.draw(shot(batch, answer), Frame(80, 28), mode=None))
    assert "tone::#f80" in {span.role for line in lines for span in line}
    assert tone_style("tone::#f80", True).bgcolor.triplet == (255, 136, 0)


@pytest.mark.parametrize("dark", [True, False])
def test_every_tone_has_a_colour_that_takes_few_bytes(dark: bool) -> None:
    for tone in (*(f"{scale}{level}" for scale in "dsg" for level in range(16)), "nan", "here"):
        style = tone_style(f"tone:{tone}:", dark)
        assert style.color is not None
        assert style.color.get_ansi_codes()[:2] == ("38", "5")
        assert style.color.triplet is not None


@given(
    st.integers(20, 170),
    st.integers(1, 60),
    st.lists(st.integers(0, 70), max_size=4),
    st.sampled_from([UNICODE, ASCII]),
    st.sampled_from([None, "numbers", "map", "both", "pictures"]),
)
def test_no_size_and_no_shape_makes_it_draw_too_wide_or_too_much(width, height, shape, glyphs, mode) -> None:  # type: ignore[no-untyped-def]
    found = view(tuple(shape) or (1,), "value", "grad", kind="batch")
    rows, columns = heat.size_of(found.shape)
    planned = heat.plan(found, "value", width, height, glyphs)
    answer = maps(bytes(planned.rows * planned.columns), planned.rows, planned.columns, "value", "grad")
    answer = HeatMaps((), rows, columns, 1, 1, answer.maps)
    drawing = tensor.draw(shot(found, answer), Frame(width, height, glyphs=glyphs), mode=mode)
    assert widest(lines_of(drawing)) <= width
