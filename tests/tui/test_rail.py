"""The rail and the header: who changed what, as text."""

from __future__ import annotations

import re
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.builders import ORDER, ROUND, at, effects, session, shown, stop_after, widest

from stepdbg.protocol.messages import (
    BadValue,
    Boundary,
    Breakpoint,
    EffectCount,
    Effects,
    Failure,
    PhaseRecord,
    Progress,
    Stop,
    What,
)
from stepdbg.tui.actions.action import ActionContext
from stepdbg.tui.actions.help_dialog import session_lines
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.actions.why_not import why_nothing
from stepdbg.tui.drawing.lines import ASCII, UNICODE, by_clauses, target_at, text
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.layout import footer
from stepdbg.tui.records.losses import Point, Series
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PhaseTarget
from stepdbg.tui.top import header, rail
from stepdbg.tui.top.session_sentence import session_sentence
from stepdbg.tui.top.top import Top
from stepdbg.tui.words.sentence import sentence


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("done", ORDER)
def test_the_rail_shows_every_phase_of_the_loop_in_order(width: int, done: str) -> None:
    lines = rail.draw(at(stop_after(done)), width)
    phases = text(lines[0])
    places = [phases.index(name) for name in ORDER]
    assert places == sorted(places)
    assert widest(lines) <= width
    assert len(lines) == rail.HEIGHT


@pytest.mark.parametrize("width", [80, 160])
def test_what_a_phase_did_stands_under_it(width: int) -> None:
    lines = rail.draw(at(stop_after("backward")), width)
    column = text(lines[0]).index("backward")
    assert text(lines[1])[column:].startswith("8 grads")
    assert "written" in shown(lines)
    assert "8 grads" in text(lines[1])[: text(lines[0]).index("forward")], "zero_grad freed them"


def test_where_there_is_room_for_one_effect_a_sign_says_that_there_are_more() -> None:
    lines = rail.draw(at(stop_after("backward")), 80)
    column = text(lines[0]).index("forward")
    assert text(lines[1])[column:].startswith("1 output ")
    assert text(lines[2])[column:].startswith("new… ")
    assert "written " in text(lines[2])


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_loss_of_a_long_name_has_its_figure_in_the_header(width: int) -> None:
    stop = stop_after("backward", loss_name="the_reconstruction_loss_of_the_generator")
    here = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, loss=9.54e6))
    assert "_the_generator 9.54e6" in text(header.draw(at(here), width, 0.0))


def test_a_loss_of_another_update_says_so_and_one_that_is_not_there_yet_is_not_shown() -> None:
    series = Series("loss", tuple(Point(update, 0.5) for update in (40, 41)))
    stop = stop_after("zero_grad", made_in={"loss": 41})
    for loss, there in ((0.4312, "update 42 · loss 0.4312 (update 41) "), (None, "update 42 ")):
        here = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, loss=loss))
        line = text(header.draw(msgspec.structs.replace(at(here), losses=(series,)), 160, 0.0))
        assert there in line
        assert line.count("loss") == there.count("loss")
        assert any(bar in line for bar in UNICODE.bars[1:]) == (loss is not None)


def test_the_arrow_stands_before_the_next_phase() -> None:
    assert "▶ step" in text(rail.draw(at(stop_after("backward")), 80)[0])


def test_a_predicted_phase_has_a_question_mark() -> None:
    stop = stop_after("forward")
    stop = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, predicted=True))
    assert "loss?" in text(rail.draw(at(stop), 80)[0])
    assert "PAUSED before loss?" in text(header.draw(at(stop), 80, 0.0))


def test_what_is_to_come_says_that_it_is_of_last_time() -> None:
    lines = rail.draw(at(stop_after("zero_grad")), 160)
    assert text(lines[3]).count("last time") == 4


@pytest.mark.parametrize("width", [80, 160])
def test_what_is_to_come_stands_in_brackets_and_what_is_done_does_not(width: int) -> None:
    words = shown(rail.draw(at(stop_after("forward")), width))
    assert words.count("(") == words.count(")") == 3 + (width == 160)  # loss, backward, step; state entries
    assert "(8 grads" in words
    assert "1 output" in words
    assert "(1 output" not in words


@pytest.mark.parametrize("done", ORDER)
def test_what_stands_under_one_phase_is_set_apart_from_the_next(done: str) -> None:
    for line in rail.draw(at(stop_after(done)), 80)[1:]:
        assert text(line).count("│") == len(ORDER) - 1
    assert "|" in text(rail.draw(at(stop_after(done)), 80, glyphs=ASCII)[1])


def test_before_the_first_phase_the_textbook_loop_is_on_the_rail() -> None:
    stop = Stop(Boundary(1, 1, next="data"), "step")
    line = text(rail.draw(at(stop), 80)[0])
    assert all(name in line for name in ORDER)
    assert all(name in text(rail.draw(at(None, "starting"), 80)[0]) for name in ORDER)


def test_breakpoints_are_marked_on_the_side_where_they_stop() -> None:
    marks = (Breakpoint(1, "backward"), Breakpoint(2, "forward", "after"), Breakpoint(3, "loss", enabled=False))
    line = text(rail.draw(at(stop_after("data"), breakpoints=marks), 160)[0])
    assert "●backward" in line
    assert "forward●" in line
    assert "○loss" in line


def test_a_skipped_step_says_so() -> None:
    phases = (*ROUND[:5], PhaseRecord("step", 0.1, skipped=True))
    stop = stop_after("step", phases=phases)
    stop = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, skipped=True))
    assert "skipped" in shown(rail.draw(at(stop), 80))
    assert "step was skipped" in sentence(stop)


def test_phases_without_effects_read_not_recorded() -> None:
    phases = tuple(PhaseRecord(record.name, 1.0) for record in ROUND[:3])
    assert "not recorded" in shown(rail.draw(at(stop_after("forward", phases=phases)), 160))
    assert "not recorded" in sentence(stop_after("forward", effects=None))


def test_inner_phases_hang_under_their_outer_one() -> None:
    phases = (PhaseRecord("forward", 1.0, ("step",)), PhaseRecord("step", 2.0))
    boundary = Boundary(9, 3, done="step", next="data", opens=4)
    assert "↳forward" in text(rail.draw(at(Stop(boundary, "step", phases=phases)), 80)[0])


@pytest.mark.parametrize("width", [80, 160])
def test_where_there_are_several_models_and_optimizers_the_rail_and_the_sentence_say_whose_phase_it_is(
    width: int,
) -> None:
    owners = {"zero_grad": "optimizer_d", "forward": "discriminator", "backward": "loss_d", "step": "optimizer_d"}
    phases = tuple(msgspec.structs.replace(record, of=owners.get(record.name, "")) for record in ROUND)
    stop = msgspec.structs.replace(stop_after("zero_grad", phases=phases[:2], next_of="generator"), previous=phases)
    lines = rail.draw(at(stop), width)
    under = {name: text(lines[3])[text(lines[0]).index(name) :] for name in ORDER}
    assert under["zero_grad"].startswith("optimizer_d")
    assert under["forward"].startswith("generator"), "what comes next is not what came last time"
    assert under["step"].startswith("optimizer_d")
    assert widest(lines) <= width
    assert sentence(stop).startswith("zero_grad of `optimizer_d` freed the gradients")
    forward = stop_after("forward", phases=phases[:3])
    assert sentence(forward, "model").startswith("forward called `discriminator`: ")


def test_a_long_loop_keeps_the_next_phase_in_view_and_counts_the_rest() -> None:
    phases = tuple(PhaseRecord(f"phase_number_{index}", 1.0) for index in range(20))
    boundary = Boundary(12, 3, done="phase_number_9", next="phase_number_10")
    stop = Stop(boundary, "step", phases=phases[:10], previous=phases)
    lines = rail.draw(at(stop), 80)
    assert "▶ phase_number_10" in text(lines[0])
    assert "›" in text(lines[0])
    assert "‹" in text(lines[0])
    assert widest(lines) <= 80


@pytest.mark.parametrize(
    ("target", "script", "given"),
    [
        ("/usr/bin/python demos/mnist.py --lr 0.1 'a b'", "mnist.py", "--lr 0.1 'a b'"),
        ("/usr/bin/python -m stepdbg.tracer.drive loop.py train 3", "loop.py", "3"),
        ("python -m package.train --fast", "package.train", "--fast"),
        ("torchrun --nproc 2 train.py", "torchrun", "--nproc 2 train.py"),
        ("mnist.py", "mnist.py", ""),
    ],
)
def test_the_scripts_arguments_are_told_as_they_were_typed(target: str, script: str, given: str) -> None:
    shot = at(stop_after("backward"))
    told = msgspec.structs.replace(shot.session, target=target, script=script)
    assert header.arguments(told) == given
    line = text(header.draw(msgspec.structs.replace(shot, session=told), 160, 0.0))
    assert line.startswith(f" {script}  {given}  PAUSED before step" if given else f" {script}  PAUSED before step")
    assert target in session_lines(ActionContext(msgspec.structs.replace(shot, session=told), "model"), 90)[0]


def test_where_there_is_little_room_the_arguments_give_way_to_state_and_loss() -> None:
    shot = at(stop_after("backward"))
    target = "python mnist.py --a-very-long-argument with-a-very-long-value --and-another-one"
    shot = msgspec.structs.replace(shot, session=msgspec.structs.replace(shot.session, target=target))
    line = text(header.draw(shot, 80, 0.0))
    assert "PAUSED before step · epoch 1 · update 42 · loss 0.4312" in line
    assert "mnist.py  --a-very-lon" in line
    assert "…  PAUSED" in line
    assert "--a" not in text(header.draw(shot, 66, 0.0))


@given(st.integers(1, 200), st.sampled_from(ORDER), st.booleans())
def test_the_rail_and_the_header_fit_any_width(width: int, done: str, plain: bool) -> None:
    snapshot = at(stop_after(done))
    target = "python mnist.py --learning-rate 0.125"
    snapshot = msgspec.structs.replace(snapshot, session=msgspec.structs.replace(snapshot.session, target=target))
    glyphs = ASCII if plain else rail.UNICODE
    assert widest(rail.draw(snapshot, width, glyphs=glyphs)) <= width
    if width >= 20:
        assert widest([header.draw(snapshot, width, 0.0, glyphs)]) <= max(width, 32)


@pytest.mark.parametrize("done", ORDER)
def test_plain_terminals_get_plain_characters(done: str) -> None:
    snapshot = at(stop_after(done))
    assert shown(rail.draw(snapshot, 80, glyphs=ASCII)).isascii()
    assert text(header.draw(snapshot, 80, 0.0, ASCII)).isascii()


def test_a_click_finds_its_phase() -> None:
    line = rail.draw(at(stop_after("data")), 80)[0]
    assert target_at(line, text(line).index("backward") + 2) == PhaseTarget("backward")


@pytest.mark.parametrize("state", ["starting", "running", "paused", "exited", "lost"])
@pytest.mark.parametrize("width", [80, 160])
def test_the_state_is_one_visible_line(state: str, width: int) -> None:
    line = text(header.draw(at(stop_after("loss"), state), width, 0.0))
    assert state.upper() in line
    assert len(line) <= width


def test_starting_says_what_is_waited_for_and_how_long() -> None:
    waiting = Snapshot(msgspec.structs.replace(session(None, "starting"), doing="importing torch", since=100.0))
    assert "STARTING · importing torch… 2.1 s" in text(header.draw(waiting, 80, 102.1))


def test_running_says_where_and_for_how_long() -> None:
    running = msgspec.structs.replace(
        at(stop_after("loss"), "running"), progress=Progress(0, "backward", 14.2, 43, 1, 0.42, 31.0)
    )
    assert "RUNNING in backward for 14 s · epoch 1 · update 43 · loss 0.42" in text(header.draw(running, 100, 0.0))


@pytest.mark.parametrize("done", ["zero_grad", "loss"])
def test_before_an_update_is_complete_running_shows_the_phases_that_stood_there(done: str) -> None:
    stop = msgspec.structs.replace(stop_after(done), previous=())
    stop = msgspec.structs.replace(stop, phases=tuple(one for one in stop.phases if one.name != "data"))
    waiting = at(stop)
    running = msgspec.structs.replace(
        at(stop, "running"), progress=Progress(0, stop.boundary.next or "", 0.2, 1, None, None, None)
    )
    names = text(rail.draw(waiting, 160)[0]).replace("?", " ").split()
    assert text(rail.draw(running, 160)[0]).replace("?", " ").split() == names
    assert not any("data" in name for name in names)


def test_what_does_not_fit_in_the_header_is_left_out_whole() -> None:
    snapshot = at(stop_after("backward"))
    line = text(header.draw(snapshot, 80, 0.0))
    assert line.startswith(" mnist.py  PAUSED before step · epoch 1 · update 42 · loss 0.4312")
    assert line.rstrip().endswith(("cpu", "cpu · 8 parameters", "1.2 MB"))


def test_a_step_within_a_step_is_not_taken_for_the_one_around_it() -> None:
    """A framework hands a closure to a step; the optimizer's own step ends within it, and before it."""
    inner = [PhaseRecord(name, 0.1, inside=("step",)) for name in ("forward", "loss", "backward", "step")]
    whole = (PhaseRecord("data", 0.1), *inner, PhaseRecord("step", 9.0))
    outer = Boundary(9, 2, "data", "step", predicted=False)
    before = msgspec.structs.replace(stop_after("data"), boundary=outer, phases=whole[:1], previous=whole)
    assert [(box.name, box.depth, box.when) for box in rail.boxes(at(before))] == [
        ("data", 0, "done"), ("step", 0, "next"),
    ]  # fmt: skip
    assert rail.boxes(at(before))[1].record == whole[-1]
    within = Boundary(13, 2, "backward", "step", predicted=False, inside=("step",))
    nested = msgspec.structs.replace(before, boundary=within, phases=whole[:4])
    assert [(box.name, box.depth, box.when) for box in rail.boxes(at(nested))][4:] == [
        ("step", 1, "next"), ("step", 0, "foretold"),
    ]  # fmt: skip


@pytest.mark.parametrize("reason", ["exit", "exception"])
def test_after_its_last_stop_nothing_is_said_to_train(reason: str) -> None:
    stop = stop_after("step", reason=reason)
    ended = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, next=None, opens=None))
    snapshot = msgspec.structs.replace(at(ended, "running"), progress=Progress(0, "step", 3.0, 42, None, None, None))
    assert header.state_words(snapshot, 0.0) == ("RUNNING", "to the end of the script")
    assert session_sentence(snapshot).startswith("nothing trains any more")
    assert "press p" not in session_sentence(snapshot)
    headless = msgspec.structs.replace(snapshot, session=msgspec.structs.replace(snapshot.session, terminal=False))
    assert session_sentence(snapshot).endswith("its output is in panel 7")
    assert "panel" not in session_sentence(headless)
    late = msgspec.structs.replace(snapshot, progress=Progress(0, "step", 3.0, 38, None, 9.0, 25.0))
    assert "update 42 · loss 0.4312" in text(header.draw(late, 100, 0.0)), "what was told last is not the newest"
    assert why_nothing("n", ActionContext(snapshot, "model", actions=ACTIONS)) == (
        "n: nothing trains any more, and the script runs to its end already"
    )


def test_a_script_that_ended_by_an_exception_says_so_to_the_last() -> None:
    stop = stop_after("loss", reason="exception", failure=Failure("IndexError", "Target 2 is\nout of bounds.", ""))
    ended = at(stop, "exited")
    ended = msgspec.structs.replace(ended, session=msgspec.structs.replace(ended.session, exit_status=1))
    assert session_sentence(ended) == (
        "IndexError after loss: Target 2 is out of bounds; mnist.py ended with status 1. "
        "Press q to leave, R to run it again"
    )
    assert text(footer.draw(ActionContext(ended, "model", actions=ACTIONS), 80)).startswith(" R run again")


def test_gradients_are_written_by_backward_and_changed_by_what_comes_after_it() -> None:
    def said(phase: str, what: What) -> str:
        return rail.verb(EffectCount("grad", what, 8), phase)

    assert [said("backward", "created"), said("backward", "changed")] == ["written", "added to"]
    assert [said("clip", "changed"), said("unscale", "changed"), said("clip", "touched")] == [
        "changed", "changed", "same value",
    ]  # fmt: skip
    assert [said("zero_grad", "freed"), said("zero_grad", "changed")] == ["freed", "zeroed"]


def test_what_is_not_finite_comes_before_all_else_under_its_phase() -> None:
    found = Effects("fingerprint", (EffectCount("buffer", "changed", 1), EffectCount("grad", "created", 4, nan=4)))
    first, second = rail.told(found, "backward")
    assert (rail.noun(first), rail.verb(first, "backward")) == ("4 grads", "all NaN")
    assert rail.noun(second) == "1 buffer"
    assert rail.verb(EffectCount("grad", "created", 4, nan=1, infinite=2), "backward") == "1 NaN"
    assert rail.verb(EffectCount("output", "created", 1, infinite=1), "forward") == "inf"


def test_a_model_in_eval_mode_is_named_in_the_header_while_it_is_trained() -> None:
    stop = stop_after("backward", modes=(("model", "eval"),))
    assert "eval mode" in text(header.draw(at(stop), 80, 0.0))
    assert "mode" not in text(header.draw(at(stop_after("backward")), 120, 0.0))
    evaluated = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, done="eval"))
    assert "mode" not in text(header.draw(at(evaluated), 120, 0.0))


@pytest.mark.parametrize("height", [6, 7, 8])
def test_a_suspicion_has_a_line_of_its_own_under_the_sentence(height: int) -> None:
    doubt = "all 8 parameters are NaN"
    top = Top(Palette(defaultdict(lambda: "#202020")), at(stop_after("step", suspicion=doubt)))
    lines = [text(line).strip() for line in top.lines(80, height)]
    assert len(lines) <= height
    assert lines[-1] == f"! {doubt}"
    assert "step changed" in shown(top.lines(80, height))


def test_where_a_suspicion_takes_a_line_the_times_give_way_and_neither_it_nor_the_sentence_is_cut() -> None:
    doubt = "2 parameters are in no optimizer: model.head.weight and model.head.bias have gradients no step uses"
    stop = stop_after("backward", suspicion=doubt)
    top = Top(Palette(defaultdict(lambda: "#202020")), at(stop))
    words = " ".join(" ".join(text(line) for line in top.lines(80, 7)).split())
    assert f"! {doubt}" in words
    assert "and wrote the .grad of 8 parameters; …" in words, "whole clauses, not half a name"
    roomy = [text(line) for line in top.lines(160, 7)]
    assert "the model object was not called" in roomy[5], "all of it, where there is room"
    assert "ms" in roomy[4], "and the times stay"
    shorter = Top(
        Palette(defaultdict(lambda: "#202020")), at(stop_after("backward", suspicion="the loss has no graph"))
    )
    words = " ".join(" ".join(text(line) for line in shorter.lines(80, 7)).split())
    assert "the model object was not called ! the loss has no graph" in words


def test_of_a_bad_value_and_an_exception_no_word_is_cut_where_the_times_can_give_way() -> None:
    palette = Palette(defaultdict(lambda: "#202020"))
    detail = (
        "net.a.bias.grad holds NaN (8 of 8 elements, the first at [0]), and so does 1 more. Made by SqrtBackward0 in "
        "net (nanmid.py:10): its result is 0 at [0, 5], where what came to it reaches from 0 to 3.4"
    )
    bad = BadValue("nan", "net.a.bias.grad", "backward")
    raised = Failure(
        "RuntimeError", "mat1 and mat2 shapes cannot be multiplied (64x16 and 8x1) in a layer of the model", ""
    )
    failed = stop_after("forward", reason="exception", failure=raised)
    left = msgspec.structs.replace(failed.boundary, done=None, inside=("forward",))
    for stop, words in (
        (stop_after("backward", reason="nan", detail=detail, bad=bad), detail),
        (
            msgspec.structs.replace(failed, boundary=left),
            "until then forward had created 1 output, changed 3 buffers",
        ),
    ):
        top = Top(palette, at(stop))
        assert words in " ".join(" ".join(text(line) for line in top.lines(80, 7)).split())
        roomy = [text(line) for line in Top(palette, at(stop)).lines(160, 7)]
        assert "ms" in roomy[4], "the times stay where there is room"


def test_a_sentence_that_is_too_long_loses_whole_clauses() -> None:
    words = "zero_grad freed 8 gradients; it also changed 2 buffers; and more"
    assert by_clauses(words, 70, 1) == [words]
    assert by_clauses(words, 60, 1) == ["zero_grad freed 8 gradients; it also changed 2 buffers; …"]
    assert by_clauses(words, 40, 1) == ["zero_grad freed 8 gradients; …"]
    assert by_clauses(words, 20, 1) == ["zero_grad freed 8 g…"]
    assert by_clauses(words, 40, 2) == ["zero_grad freed 8 gradients; it also", "changed 2 buffers; and more"]
    assert by_clauses(words, 40, 0) == []
    listed = "since then: 4 parameters changed, 12 entries of state new, loss new; which phase did it was not recorded"
    assert by_clauses(listed, 60, 1) == ["since then: 4 parameters changed, 12 entries of state new, …"]
    assert by_clauses(listed, 40, 1) == ["since then: 4 parameters changed, …"]
    assert by_clauses("it is 0 at [12, 345], and at [6, 7] too", 17, 1) == ["it is 0 at [12, …"]
    assert by_clauses("it is 0 at [12, 345], and at [6, 7] too", 25, 1) == ["it is 0 at [12, 345], …"]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("previous", [False, True])
def test_the_boxes_keep_their_places_from_stop_to_stop(width: int, previous: bool) -> None:
    places = set()
    for done in ORDER:
        for predicted in (False, True):
            stop = stop_after(done, previous=previous)
            boundary = msgspec.structs.replace(stop.boundary, predicted=predicted)
            lines = rail.draw(at(msgspec.structs.replace(stop, boundary=boundary)), width)
            words = text(lines[0])
            places.add(tuple(words.index(name) for name in ORDER))
            assert widest(lines) <= width
    assert len(places) == 1


def test_a_pair_that_was_made_and_a_pair_that_was_added_to_are_told_apart() -> None:
    record = PhaseRecord("backward", 4.2, effects=effects(("grad", "created", 2), ("grad", "changed", 4)))
    stop = stop_after("backward", phases=(*ROUND[:4], record), previous=(*ROUND[:4], record, ROUND[5]))
    for width, told in ((80, ("4 added to", "2 written")), (160, ("4 grads added to", "2 grads written"))):
        lines = rail.draw(at(stop), width)
        for line, words in zip(lines[1:3], told, strict=True):
            assert words in text(line)
            assert next(span.role for span in line if words in span.text) == "effect"


def test_what_is_no_effect_has_not_the_colour_of_one() -> None:
    record = PhaseRecord("zero_grad", 0.1, effects=effects())
    lines = rail.draw(at(stop_after("forward", phases=(ROUND[0], record, ROUND[2]))), 80)
    roles = {span.text.strip(): span.role for line in lines[1:3] for span in line}
    assert roles["nothing"] == roles["changed"] == "dim"
    assert roles["1 output"] == roles["new…"] == "effect"


def test_a_figure_on_the_rail_is_never_cut() -> None:
    for width in range(30, 170):
        for done in ORDER:
            lines = rail.draw(at(stop_after(done)), width)
            told = " ".join(text(line) for line in lines[1:3])
            assert not re.search(r"\d…", told), (width, done, told)
