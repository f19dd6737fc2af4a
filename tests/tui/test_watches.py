"""Watches on the screen: set from what is under the cursor, shown at every stop, charted, saved and removed."""

from __future__ import annotations

import math

import msgspec
import pytest
from tui.builders import at, shown, stop_after, widest
from tui.stage import stage

from stepdbg.protocol.messages import History, HistoryPoint, Watch, WatchPoint, WatchPoints, WatchValue
from stepdbg.tui.dialogs.watch import WatchDialog
from stepdbg.tui.drawing.lines import ASCII, Frame, text
from stepdbg.tui.files.tables import as_csv, table
from stepdbg.tui.panels.breakpoints import view as breaks
from stepdbg.tui.panels.text import history, loss
from stepdbg.tui.records.losses import Point, Series
from stepdbg.tui.state.answers import Answer
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top import watches

LONG = 'ratio("model.encoder.layers.11.attention.output.dense.weight")'


def watching(**fields: object) -> Snapshot:
    """Four watches at a stop of update 42, of which one fails and one is switched off."""
    failed = WatchValue(2, problem="NameError: name 'acc' is not defined")
    snapshot = at(stop_after("backward", watched=(WatchValue(1, 0.4318), failed, WatchValue(3, 1.0, "True"))))
    found = (Watch(1, "grad_norm()"), Watch(2, "acc"), Watch(3, LONG), Watch(4, "lr", enabled=False))
    session = msgspec.structs.replace(snapshot.session, watches=found, **fields)
    snapshot = msgspec.structs.replace(snapshot, session=session)
    points = [WatchPoint(update, 1, 1 / update) for update in range(1, 42)]
    points += [WatchPoint(update, 3, value) for update, value in ((10, 1.0), (20, math.nan), (30, 4.0), (40, math.inf))]
    return reduced(snapshot, WatchPoints(0, tuple(points)))


@pytest.mark.parametrize("width", [80, 60, 34])
def test_the_list_tells_each_watch_with_its_value_history_and_problem_in_any_width(width: int) -> None:
    drawing = breaks.draw(watching(), Frame(width, 12))
    words = shown(drawing.body)
    assert widest(drawing.body) <= width
    lines = words.splitlines()
    assert lines[1:6] == [line for line in lines if line.strip() == "watched"] + lines[2:6]
    (norm,) = [line for line in lines if "grad_norm()" in line]
    assert "0.4318" in norm
    assert "NameError" in words
    assert "True" in words
    assert " off" in words
    if width == 80:
        assert set("▁▂▃▄▅▆▇█") & set(norm)
        assert "every 10" in words
        assert "NameError: name 'acc' is not defined" in words
    plain = breaks.draw(watching(), Frame(width, 12, glyphs=ASCII))
    assert set(shown(plain.body)) <= set(map(chr, range(128)))


@pytest.mark.parametrize("width", [160, 80, 40])
def test_the_line_under_the_header_tells_as_many_as_fit_and_how_many_there_are_besides(width: int) -> None:
    line = watches.draw(watching(), width)
    assert widest([line]) <= width
    assert "grad_norm() 0.4318" in text(line)
    assert ("and 2 others" in text(line)) == (width == 40)
    assert ("! NameError: name 'acc' is not " in text(line)) == (width > 40)


def test_in_the_past_the_history_ends_where_one_looks() -> None:
    snapshot = msgspec.structs.replace(watching(), looking_back=True)
    first = at(stop_after("step", update=1)).session.ranks
    early = msgspec.structs.replace(snapshot, session=msgspec.structs.replace(snapshot.session, ranks=first))
    assert "▁" not in text(watches.draw(early, 80))


def test_a_watch_is_a_curve_beside_the_loss_and_what_is_not_finite_is_marked() -> None:
    drawing = loss.draw(watching(), Frame(80, 14))
    assert "2 not finite" in text(drawing.title)
    words = shown([*drawing.head, *drawing.body])
    assert "grad_norm()" in words
    body = [text(line) for line in drawing.body]
    assert "^" in body[0]
    assert "!" in body[-3]


@pytest.mark.parametrize("glyphs", [loss.Glyphs(), ASCII], ids=["braille", "ascii"])
def test_a_logarithmic_axis_puts_powers_at_equal_distances_and_says_what_it_leaves_out(glyphs: loss.Glyphs) -> None:
    points = tuple(Point(update, 10.0**-update) for update in range(5))
    snapshot = msgspec.structs.replace(at(stop_after("step")), losses=(Series("loss", (*points, Point(5, 0.0))),))
    drawing = loss.draw(snapshot, Frame(70, 13, glyphs=glyphs), log=True)
    assert text(drawing.title).startswith("log ")
    assert "1 not above 0" in text(drawing.title)
    labels = [line[:8].strip() for line in map(text, drawing.body)]
    assert [label for label in labels if label and not label.startswith("update")] == ["1.000", "0.0100", "1.00e-4"]
    none = msgspec.structs.replace(snapshot, losses=(Series("loss", (Point(1, -1.0),)),))
    assert "no value is above 0" in shown(loss.draw(none, Frame(70, 13), log=True).body)


def test_what_is_watched_is_in_the_tables_of_its_panels() -> None:
    found = as_csv(table("breaks", watching())).splitlines()
    assert found[:2] == ["watch,update,value", "grad_norm(),1,1.0"]
    assert "nan" in found[-3]
    assert len(found) == 1 + 41 + 4
    assert as_csv(table("loss", watching())).splitlines()[1] == "grad_norm(),1,1.0"


async def test_w_watches_what_is_under_the_cursor_and_delete_removes_it() -> None:
    async with stage((80, 24)) as here:
        await here.press("1")
        await here.until(lambda: here.panel("model").chosen(), "a tensor under the cursor")
        name = here.panel("model").chosen()
        await here.press("w")
        await here.until(lambda: isinstance(here.app.screen, WatchDialog), "the dialog")
        field = here.app.screen.query_one("#line")
        assert field.value == f'norm("{name}")'
        field.value = "update +"
        await here.press("enter")
        await here.until_seen("no expression of Python")
        field.value = "update"
        await here.until_seen("here: 1")
        await here.press("enter")
        await here.until_seen(" update 1")
        await here.step("f")
        await here.step("f")
        await here.until(lambda: len(here.app.snapshot.watched.get(1, Series("")).points) == 2, "two values")
        await here.press("8")
        await here.until(lambda: "update" in here.panel("breaks").text(), "the watch among the rows")
        await here.press("down", "down")
        await here.press("space")
        await here.until(lambda: not here.app.snapshot.session.watches[0].enabled, "a watch that is off")
        await here.press("delete")
        await here.until(lambda: not here.app.snapshot.session.watches and not here.app.snapshot.watched, "no watch")


async def test_a_variable_a_hyperparameter_and_the_loss_are_watched_by_their_expressions() -> None:
    async with stage((160, 50)) as here:
        await here.step_to("step")
        optimizer, source = here.panel("optimizer"), here.panel("source")
        await here.until(lambda: optimizer.total and optimizer.watchable(), "the optimizer")
        assert optimizer.watchable().endswith("['lr']")
        source.on_variables = True
        await here.until(lambda: source.watchable(), "the variables")
        found = []
        for row in range(len(source._variables())):
            source._row = row
            found.append(source.watchable())
        assert "loss" in found
        assert any(one.startswith("norm(") for one in found)
        assert here.panel("loss").watchable() == "loss"


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ((), "No update has been sampled yet"),
        ((HistoryPoint(1),), "It had no gradient in the 1 update that was sampled"),
        ((HistoryPoint(1), HistoryPoint(2)), "It had no gradient in the 2 updates that were sampled"),
    ],
)
def test_of_a_parameter_that_has_no_gradient_it_is_not_said_that_no_update_was_sampled(
    points: tuple[HistoryPoint, ...], words: str
) -> None:
    found = {history.HISTORY.name: Answer(History("model.fc1.weight", points), 0)}
    snapshot = msgspec.structs.replace(at(stop_after("step")), answers=found)
    drawn = history.draw(snapshot, Frame(78, 12), "model.fc1.weight", log=False)
    assert " ".join(" ".join(map(text, drawn.body)).split()).startswith(words)


async def test_t_shows_what_has_become_of_a_parameter_and_escape_leads_back() -> None:
    async with stage((80, 24)) as here:
        await here.step("f")
        await here.step("f")
        await here.press("1")
        await here.until(lambda: here.panel("model").chosen(), "a tensor under the cursor")
        name = here.panel("model").chosen()
        await here.press("T")
        await here.until_seen(f"history of {name}", "gradient norm", "Δ/‖w‖")
        await here.press("A")
        await here.until_seen("log ")
        await here.press("escape")
        await here.until(lambda: here.app.panel_layout.focused_name() == "model", "the panel before")
        await here.press("5")
        await here.until(lambda: "history of" not in here.text, "the losses")
