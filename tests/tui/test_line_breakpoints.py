"""A breakpoint on a line, as the screen shows it: set in the Source panel, marked there, and told of at its stop."""

from __future__ import annotations

import msgspec
import pytest
from tui.builders import at, shown, stop_after
from tui.stage import stage

from stepdbg.protocol import messages as m
from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import Breakpoint, SourceText
from stepdbg.tui.drawing.lines import Frame, text
from stepdbg.tui.panels.source import view as source
from stepdbg.tui.state.line_breakpoints import breakpoints_at, line_without_code
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top import header, phases, rail
from stepdbg.tui.top.session_sentence import session_sentence

CODE = "for x in y:\n    loss.backward()\n\n    opt.step()\n"


def at_line(inside: tuple[str, ...] = (), **fields: object) -> Snapshot:
    boundary = m.Boundary(index=300, update=42, inside=inside, epoch=1, file="/x/train.py", line=4)
    frame = m.Frame("/x/train.py", 4, "train")
    stop = stop_after(
        "backward", boundary=boundary, effects=None, inner=m.Inner("line", "train.py:4"), frames=(frame,),
        reason="breakpoint", detail="breakpoint 2: train.py:4 if x > 3", **fields,
    )  # fmt: skip
    sources = {"/x/train.py": SourceText("/x/train.py", CODE)}
    return msgspec.structs.replace(at(stop), sources=sources)


def with_breakpoints(snapshot: Snapshot, *texts: str) -> Snapshot:
    points = tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))
    session = msgspec.structs.replace(snapshot.session, breakpoints=points, directory="/x")
    return msgspec.structs.replace(snapshot, session=session)


def test_the_header_and_the_sentence_say_which_line_and_within_what() -> None:
    between, inside = at_line(), at_line(("step", "forward"))
    assert header.state_words(between, 0.0) == ("PAUSED", "at train.py:4")
    assert header.state_words(inside, 0.0) == ("PAUSED", "at train.py:4, inside forward")
    about = "breakpoint 2: train.py:4 if x > 3: that line is about to run, in train()"
    assert session_sentence(between) == about
    assert session_sentence(inside) == f"{about}, inside step > forward"


def test_between_two_phases_the_rail_shows_those_done_and_those_to_come_and_none_as_the_next() -> None:
    found = [(box.name, box.when) for box in phases.boxes(at_line())]
    assert found == [
        ("data", "done"), ("zero_grad", "done"), ("forward", "done"), ("loss", "done"), ("backward", "done"),
        ("step", "foretold"),
    ]  # fmt: skip
    assert phases.next_box(phases.boxes(at_line()), at_line()) == -1
    assert "step" in shown(rail.draw(at_line(), 120))


@pytest.mark.parametrize("written", ["train.py:4", "/x/train.py:4 if loss > 2", "step", "./train.py:4"])
def test_the_gutter_marks_a_line_that_has_a_breakpoint_and_the_arrow_stands_at_the_line_of_the_stop(
    written: str,
) -> None:
    known = msgspec.structs.replace(at_line(), phase_lines={("/x/train.py", 4): ("step",)})
    snapshot = with_breakpoints(known, written)
    marks = [text(line)[0] for line in source.draw(snapshot, Frame(80, 10)).body]
    assert marks == [" ", " ", " ", "●"]
    assert "here" in shown(source.draw(snapshot, Frame(80, 10)).body).splitlines()[3]


def test_a_breakpoint_is_at_a_line_where_the_path_ends_as_it_is_written() -> None:
    snapshot = with_breakpoints(at_line(), "net.py:3", "models/net.py:3", "other/net.py:3", "/x/models/net.py:3")
    assert [one.number for one in breakpoints_at(snapshot, "/x/models/net.py", 3)] == [1, 2, 4]


def test_a_line_without_code_is_told_with_the_nearest_that_has() -> None:
    assert line_without_code(CODE, 3) == "line 3 has no code; the nearest that has is 4"
    assert line_without_code(CODE, 4) == ""
    assert line_without_code("newer syntax :=", 4) == ""


async def test_b_in_the_source_sets_one_on_any_line_and_t_proposes_the_line() -> None:
    async with stage() as here:
        panel = here.panel("source")
        await here.press("6")
        await here.until(lambda: panel.line() is not None and here.app.snapshot.sources, "the file")
        text = next(iter(here.app.snapshot.sources.values())).text.splitlines()
        panel.cursor = next(number for number, line in enumerate(text) if line.startswith("class "))
        file, line = panel.line()
        await here.press("b")
        await here.until_seen(f"stop before {file}:{line}")
        await here.press("enter")
        await here.until(lambda: here.app.snapshot.session.breakpoints, "the breakpoint")
        assert here.app.snapshot.session.breakpoints == (Breakpoint(1, file=file, line=line),)
        panel.cursor = next(number for number, line in enumerate(text) if not line.strip())
        await here.press("b")
        assert f"b: line {panel.cursor + 1} has no code; the nearest that has is" in here.footer
        panel.cursor = line - 1
        await here.press("t")
        await here.until_seen(f"{file}:{line}")
