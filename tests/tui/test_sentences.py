"""The sentence under the rail: what a phase did, and where an exception has left it."""

from __future__ import annotations

import msgspec
import pytest
from tui.builders import ORDER, at, effects, stop_after

from stepdbg.protocol.messages import (
    Effects,
    Failure,
    Progress,
)
from stepdbg.tui.drawing.lines import text
from stepdbg.tui.top import header, rail
from stepdbg.tui.top.session_sentence import session_sentence
from stepdbg.tui.words.sentence import sentence

SAID = {
    "data": "data fetched the next batch: 2 tensors of the batch",
    "zero_grad": "zero_grad freed the gradients of 8 parameters",
    "forward": "forward called the model: 1 output came out; it changed 3 buffers, no parameter",
    "loss": "loss computed `loss` = 0.4312 from the output",
    "backward": "backward walked the graph from `loss` and wrote the .grad of 8 parameters; the model object was not "
    "called",
    "step": "step changed 8 parameters and updated 24 entries of optimizer state; the gradients are still there",
}


@pytest.mark.parametrize("done", ORDER)
def test_one_sentence_says_what_the_phase_did(done: str) -> None:
    assert sentence(stop_after(done)) == SAID[done]


def test_few_names_are_spelled_out() -> None:
    found = effects(("parameter", "changed", 2), names=("w", "b"))
    assert sentence(stop_after("step", effects=found)).startswith("step changed w and b")


@pytest.mark.parametrize("done", ORDER)
def test_what_has_changed_since_the_last_stop_is_never_said_of_the_phase_done(done: str) -> None:
    found = effects(("parameter", "changed", 4), ("grad", "created", 4), hint=True)
    words = sentence(stop_after(done, effects=msgspec.structs.replace(found, since=1)))
    assert words == (
        f"{done} is done. Since the last stop, at update 1: 4 parameters changed, 4 gradients new; "
        "which phase did it was not recorded"
    )


def test_nothing_seen_to_change_since_the_last_stop_is_no_word_on_the_phase_done() -> None:
    words = sentence(stop_after("step", effects=effects(hint=True)))
    assert words.startswith("step is done. Since the last stop, nothing was seen to change")


def test_adding_to_gradients_is_told_from_writing_them() -> None:
    assert "added to the .grad of 8" in sentence(stop_after("backward", effects=effects(("grad", "changed", 8))))
    mixed = effects(("grad", "created", 6), ("grad", "changed", 5))
    said = "wrote the .grad of 6 parameters and added to that of 5 parameters;"
    assert said in sentence(stop_after("backward", effects=mixed))


def test_a_forward_that_changes_parameters_is_given_away() -> None:
    found = effects(("output", "created", 1), ("parameter", "changed", 5))
    assert "it changed 5 parameters" in sentence(stop_after("forward", effects=found))


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        (None, ""),
        (effects(), ""),
        (effects(hint=True), ". Since the last stop, nothing was seen to change"),
        (effects(("buffer", "created", 1)), "; it also created 1 buffer"),
    ],
)
def test_a_loader_with_no_batch_left_is_no_change(found: Effects | None, ending: str) -> None:
    for over, words in (
        (0, "data found no batch left in the loader"),
        (3, "data found no batch left: epoch 3 is over"),
    ):
        stop = stop_after("data", effects=found)
        stop = msgspec.structs.replace(stop, effects=found, boundary=msgspec.structs.replace(stop.boundary, over=over))
        assert sentence(stop).startswith(words + ending)


def test_an_exception_is_named_with_its_phase() -> None:
    stop = stop_after("zero_grad", reason="exception", failure=Failure("RuntimeError", "shapes differ", ""))
    left = msgspec.structs.replace(stop.boundary, done=None, inside=("forward",))
    so_far = sentence(msgspec.structs.replace(stop, boundary=left))
    assert so_far == "RuntimeError in forward: shapes differ; until then forward had freed 8 gradients"
    unseen = sentence(msgspec.structs.replace(stop, boundary=left, effects=None))
    assert unseen == "RuntimeError in forward: shapes differ"
    assert "PAUSED on RuntimeError" in text(header.draw(at(stop), 80, 0.0))


def test_of_a_backward_on_a_number_it_is_said_where_its_graph_is() -> None:
    failure = Failure("AttributeError", "'float' object has no attribute 'backward'", "")
    stop = stop_after("loss", reason="exception", failure=failure)
    words = sentence(msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, done=None)))
    assert "'backward'; a number has no graph: call it on the tensor, before .item() or float()" in words


def test_the_phase_that_an_exception_has_left_is_told_from_one_that_is_done() -> None:
    stop = stop_after("backward", reason="exception", failure=Failure("ValueError", "no", ""))
    ended = msgspec.structs.replace(stop.boundary, done=None, next=None, opens=None, inside=("backward",))
    snapshot = at(msgspec.structs.replace(stop, boundary=ended))
    assert [box.is_left for box in rail.boxes(snapshot)] == [*[False] * (len(stop.phases) - 1), True]
    labels = [span for span in rail.draw(snapshot, 100)[0] if span.text.strip() == "backward"]
    assert [span.role for span in labels] == ["error"]
    over = msgspec.structs.replace(snapshot.session, state="exited", exit_status=1)
    said = session_sentence(msgspec.structs.replace(snapshot, session=over))
    assert said.startswith("ValueError in backward: no")
    assert "ended with status 1" in said


def test_an_exception_of_the_users_own_code_is_placed_after_the_phase_that_is_done() -> None:
    stop = stop_after("backward", reason="exception", failure=Failure("ValueError", "no", ""))
    assert sentence(stop) == "ValueError after backward: no"


def test_where_updates_go_on_after_an_exception_the_script_is_not_said_to_end() -> None:
    stop = stop_after("step", reason="exception", failure=Failure("ValueError", "no", ""))
    ended = msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, next=None, opens=None))
    goes_on = msgspec.structs.replace(at(ended, "running"), progress=Progress(0, "forward", 0.1, 43, None, None, None))
    assert header.state_words(goes_on, 0.0) == ("RUNNING", "in forward")
    assert "nothing trains any more" not in session_sentence(goes_on)
