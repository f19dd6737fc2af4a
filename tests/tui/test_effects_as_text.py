"""The matrix of effects, the names behind a cell, who owns a tensor, and the strip of the timeline, as text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.builders import PARAMETERS, at, effects, knowing, shown, stop_after, widest

from stepdbg.listing.effect_names import counted
from stepdbg.protocol.messages import Edit, Effect, Hanging, Identity, Owner, PastStop, PhaseRecord, Tick
from stepdbg.tui.drawing.lines import ASCII, Drawing, Frame, text
from stepdbg.tui.layout.arrangement import boxes, order
from stepdbg.tui.panel_base.registry import PANELS
from stepdbg.tui.panels.effects import matrix, phase_rows
from stepdbg.tui.panels.effects import names as effect_names
from stepdbg.tui.panels.effects import owners as identity
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import StopTarget
from stepdbg.tui.top import header, timeline

NAME = "model.fc1.weight"
STATE = tuple(
    Hanging("state", f"optimizer.state[{NAME}].{key}", f'optimizer.state[{NAME}]["{key}"]', words)
    for key, words in (("step", "3"), ("exp_avg", "64×784"))
)
KNOWN = Identity(
    NAME,
    "parameter",
    (64, 784),
    "float32",
    "cpu",
    0x7F88C19AC5A0,
    0x563A28791000,
    True,
    owners=(
        Owner("model", NAME, "Linear"),
        Owner("optimizer", 'optimizer.param_groups[0]["params"][2]', "Adam"),
        Owner("variable", "w", "train()"),
    ),
    hangs=(Hanging("grad", f"{NAME}.grad", f"{NAME}.grad", "64×784", 0.25), *STATE),
    models=("model",),
    optimizers=("optimizer",),
)


def drawn(drawing: Drawing) -> str:
    return shown([drawing.title, *drawing.head, *drawing.body, *drawing.foot])


def row(words: str, phase: str) -> list[str]:
    """The cells of a phase's row."""
    line = next(line for line in words.splitlines() if line[3:].startswith(phase) and line[2] == " ")
    return line[3:].removeprefix(phase).split()


# the matrix


def test_a_cell_holds_sign_and_count_and_what_is_to_come_stands_as_it_was_the_last_time() -> None:
    words = drawn(matrix.draw(at(stop_after("backward")), Frame(80, 16, cursor=4), "grad"))
    assert "parameter" in words
    assert "hyperparameter" in words
    assert row(words, "zero_grad") == ["·", "-8", *"······"]
    assert row(words, "forward") == ["·", "·", "*3", "·", "·", "·", "+1", "·"]
    assert row(words, "backward") == ["·", "›+8", *"······"]
    assert row(words, "step") == ["(*8)", "·", "·", "(*24)", *"····"]
    assert "▶ step" in words
    assert "walked the graph" not in words, "that sentence stands under the rail already"
    words = drawn(matrix.draw(at(stop_after("backward")), Frame(80, 16, cursor=5), "grad"))
    assert "step comes next. The last time step: 8 parameters changed" in words


def test_several_fates_stand_in_one_cell_each_with_its_sign() -> None:
    record = PhaseRecord("step", effects=effects(("state", "created", 2), ("state", "changed", 6)))
    snapshot = at(msgspec.structs.replace(stop_after("step"), phases=(record,)))
    assert "+2*6" in drawn(matrix.draw(snapshot, Frame(80, 16), "state"))


def test_what_came_before_a_call_and_after_it_has_a_row_of_its_own_with_its_names() -> None:
    told = counted(
        [
            Effect("average.weight", "parameter", "changed", before=True),
            Effect("output", "output", "created"),
            Effect("other.weight", "parameter", "changed", after=True),
        ],
        "fingerprint",
    )
    stop = stop_after("forward")
    phases = (*stop.phases[:-1], msgspec.structs.replace(stop.phases[-1], effects=told))
    snapshot = at(msgspec.structs.replace(stop, effects=told, phases=phases))
    found = [one for one in phase_rows.rows(snapshot) if one.just_done]
    assert [(one.before, one.after) for one in found] == [(True, False), (False, False), (False, True)]
    names = [[effect.object for effect in effect_names.names(snapshot, one, "parameter").effects] for one in found]
    assert names == [["average.weight"], [], ["other.weight"]]
    place = phase_rows.rows(snapshot).index(found[0])
    words = drawn(matrix.draw(snapshot, Frame(80, 16, cursor=place), "parameter"))
    assert "before forward began: 1 parameter changed" in words
    assert row(words, "forward") == [*"······", "+1", "·"]
    assert phase_rows.rows(snapshot)[phase_rows.row_done(snapshot)] == found[1]


def test_what_nobody_recorded_says_so() -> None:
    stop = stop_after("backward")
    phases = (*stop.phases[:-2], msgspec.structs.replace(stop.phases[-2], effects=None), stop.phases[-1])
    snapshot = at(msgspec.structs.replace(stop, phases=phases))
    words = drawn(matrix.draw(snapshot, Frame(80, 16, cursor=3), "grad"))
    assert "not recorded" in " ".join(row(words, "loss"))
    assert "since nobody looked before it" in words
    found = phase_rows.rows(snapshot)
    assert "not recorded" in effect_names.names(snapshot, found[3], "grad").problem


def test_the_names_of_the_phase_done_are_at_hand_and_those_of_others_are_asked_for() -> None:
    snapshot = at(stop_after("backward"))
    found = phase_rows.rows(snapshot)
    done = next(row for row in found if row.just_done)
    told = effect_names.names(snapshot, done, "grad").effects
    assert [one.object for one in told] == [f"{name}.grad" for name in PARAMETERS]
    assert effect_names.names(snapshot, done, "buffer").problem == "backward did nothing to any buffer"
    earlier = found[1]
    assert (earlier.asked.update, earlier.asked.phase, earlier.asked.ordinal) == (42, "zero_grad", 1)
    assert effect_names.names(snapshot, earlier, "grad").problem == "asking for the names"
    known = knowing(snapshot, PastStop(stop_after("zero_grad")))
    assert len(effect_names.names(known, earlier, "grad").effects) == 8
    foretold = found[-1]
    assert (foretold.asked.update, foretold.asked.phase) == (41, "step")


def test_the_second_phase_of_a_name_is_asked_for_as_the_second() -> None:
    stop = stop_after("backward")
    twice = (*stop.phases, *stop.phases[2:])
    found = phase_rows.rows(at(msgspec.structs.replace(stop, phases=twice)))
    asked = [(row.box.name, row.asked.ordinal) for row in found if row.asked and row.asked.update == 42]
    assert asked[2:] == [("forward", 1), ("loss", 1), ("backward", 1), ("forward", 2), ("loss", 2)]


def test_where_there_is_little_room_kinds_that_nothing_was_done_to_give_way() -> None:
    words = drawn(matrix.draw(at(stop_after("backward")), Frame(42, 16), "grad"))
    assert "hyp" not in words
    assert row(words, "step")[0] == "*8"
    kinds = [kind for kind, _, _ in matrix.columns(phase_rows.rows(at(stop_after("backward"))), 42).kinds]
    assert kinds == ["parameter", "grad", "buffer", "state", "loss", "output", "batch"]


def test_headings_are_whole_words_by_turns_on_two_lines_where_the_column_is_narrow_and_there_is_height() -> None:
    snapshot = at(stop_after("backward"))
    upper, lower = (text(line) for line in matrix.draw(snapshot, Frame(42, 16), "grad").head)
    assert lower.split() == ["parameter", "buffer", "loss", "batch"]
    assert upper.split() == ["grad", "state", "output"]
    line = next(line for line in drawn(matrix.draw(snapshot, Frame(42, 16), "grad")).splitlines() if "+8" in line)
    assert line.index("+8") + 2 == upper.index("grad") + 4, "a heading ends where its column does"
    words = drawn(matrix.draw(snapshot, Frame(42, 16), "grad"))
    assert all(piece in words for piece in matrix.LEGEND)
    (only,) = matrix.draw(snapshot, Frame(42, 8), "grad").head
    assert "grd" in text(only)


@given(st.integers(1, 170), st.integers(1, 40), st.integers(0, 7), st.sampled_from(phase_rows.KINDS))
def test_matrix_names_and_owners_draw_at_any_size(width: int, height: int, cursor: int, kind: str) -> None:
    snapshot = knowing(at(stop_after("backward")), KNOWN)
    frame = Frame(width, height, cursor=cursor, focused=True)
    found = phase_rows.rows(snapshot)
    for drawing in (
        matrix.draw(snapshot, frame, kind),  # type: ignore[arg-type]
        matrix.draw(at(None, "starting"), frame, kind),  # type: ignore[arg-type]
        matrix.draw(snapshot, frame, kind, identity.lines(snapshot, frame, NAME)),  # type: ignore[arg-type]
        effect_names.draw(snapshot, frame, found[min(cursor, len(found) - 1)], kind),  # type: ignore[arg-type]
        identity.draw(snapshot, frame, NAME),
    ):
        if width >= 40 and height >= 8:
            lines = [*drawing.head, *drawing.body, *drawing.foot]
            assert widest(lines) <= width
            assert len(lines) <= height


def test_under_ascii_all_of_it_has_plain_characters_only() -> None:
    snapshot = knowing(at(stop_after("backward")), KNOWN, stops=ticks(20), past_at=9)
    frame = Frame(80, 30, glyphs=ASCII)
    below = identity.lines(snapshot, frame, NAME)
    assert drawn(matrix.draw(snapshot, frame, "grad", below)).isascii()
    assert text(timeline.draw(snapshot, 80, ASCII)).isascii()
    assert text(header.draw(msgspec.structs.replace(snapshot, looking_back=True), 80, 0.0, ASCII)).isascii()


# who owns a tensor


def owners(known: Identity, width: int = 80) -> str:
    snapshot = knowing(at(stop_after("backward")), known)
    return drawn(identity.draw(snapshot, Frame(width, 40), known.object))


def test_lines_lead_from_every_owner_to_one_box_and_the_gradient_hangs_on_it() -> None:
    words = owners(KNOWN)
    assert " ┌─ model.fc1.weight                        attribute of Linear" in words
    assert ' ├─ optimizer.param_groups[0]["params"][2]  in Adam\'s list' in words
    assert " ├─ w " in words
    assert " └─▶┃ ONE tensor, 2 owners" in words
    assert "64×784 float32 cpu" in words
    assert "id 0x7f88c19ac5a0" in words
    assert "├─ .grad            64×784  norm 0.2500  + just created by backward" in words
    assert "└─ optimizer.state  step 3, exp_avg 64×784" in words
    meaning = " ".join(words.split())
    assert "The model and the optimizer hold this very tensor, not copies." in meaning
    assert "backward wrote it there, and never called the model" in meaning


def test_what_the_phase_just_done_did_to_the_tensor_stands_beside_it() -> None:
    assert "just changed" not in owners(KNOWN)
    stepped = knowing(at(stop_after("step")), KNOWN)
    words = drawn(identity.draw(stepped, Frame(80, 40), NAME))
    assert "┃  * just changed by step" in words
    assert "just created" not in words
    freed = knowing(at(stop_after("zero_grad")), msgspec.structs.replace(KNOWN, hangs=()))
    words = drawn(identity.draw(freed, Frame(80, 40), NAME))
    assert ".grad  None  - just freed by zero_grad" in words


@pytest.mark.parametrize("name", [NAME, f"{NAME}.grad", f"optimizer.state[{NAME}].exp_avg"])
def test_gradient_and_state_lead_to_the_tensor_that_they_hang_on(name: str) -> None:
    snapshot = knowing(at(stop_after("backward")), KNOWN)
    assert "ONE tensor" in drawn(identity.draw(snapshot, Frame(80, 20), name))
    assert "asking" in drawn(identity.draw(snapshot, Frame(80, 20), "model.fc2.weight"))


def test_a_parameter_in_no_optimizer_and_a_gradient_that_is_none_are_plainly_said() -> None:
    known = msgspec.structs.replace(KNOWN, owners=KNOWN.owners[:1], hangs=())
    words = owners(known)
    assert "! in no optimizer: step will never change it" in words
    assert ".grad  None until the next backward" in words
    assert "1 owner" in words
    assert "copies" not in words
    cold = msgspec.structs.replace(known, requires_grad=False)
    assert "None, for ever: requires_grad is False" in owners(cold)
    nobody_steps = msgspec.structs.replace(known, optimizers=())
    assert "in no optimizer" not in owners(nobody_steps)


def test_a_tensor_that_an_optimizer_holds_and_no_model_does_is_plainly_said() -> None:
    orphan = msgspec.structs.replace(KNOWN, owners=KNOWN.owners[1:2], hangs=())
    words = " ".join(owners(orphan).split())
    assert "! in no model: what step does to it, no model sees" in words
    assert "The optimizer holds it and model does not" in words
    assert "With no gradient on it, step passes it by." in words
    assert "None: no backward has reached it" in words
    assert "thereby" not in words
    bare = msgspec.structs.replace(orphan, models=())
    assert "in no model" not in owners(bare)


def test_tied_parameters_and_shared_memory_are_told() -> None:
    head = Owner("model", "model.head.weight", "Linear")
    tied = msgspec.structs.replace(KNOWN, owners=(KNOWN.owners[0], head, KNOWN.owners[1]), shares=("view",))
    words = " ".join(owners(tied).split())
    assert "ONE tensor, 3 owners" in words
    assert "Tied: 2 attributes of the model are this one tensor." in words
    assert "the same memory as view" in words


def test_a_buffer_and_a_loss_are_told_from_a_parameter() -> None:
    buffer = msgspec.structs.replace(KNOWN, kind="buffer", owners=KNOWN.owners[:1], hangs=())
    assert "A buffer is the model's alone" in " ".join(owners(buffer).split())
    loss = msgspec.structs.replace(KNOWN, kind="loss", owners=KNOWN.owners[2:], hangs=(), grad_fn="NllLossBackward0")
    assert "NllLossBackward0): backward walks it and writes" in " ".join(owners(loss).split())


# the timeline


def ticks(number: int, per_update: int = 6) -> tuple[Tick, ...]:
    phases = ("data", "zero_grad", "forward", "loss", "backward", "step")
    return tuple(
        Tick(n + 1, n // per_update + 1, phases[n % 6], phases[(n + 1) % 6], n % 6 == 5) for n in range(number)
    )


def at_stops(number: int, past_at: int | None = None, **fields: object) -> Snapshot:
    return msgspec.structs.replace(at(stop_after("backward")), stops=ticks(number), past_at=past_at, **fields)


def test_the_strip_sets_updates_apart_and_ends_with_now() -> None:
    assert text(timeline.draw(at_stops(15), 80)) == " stops │1······│2······│3··▶"


def test_the_strip_shows_where_one_looks_and_what_was_there() -> None:
    assert text(timeline.draw(at_stops(8, past_at=3), 80)) == " stops │1··[·]···│2·▶ now"
    snapshot = at_stops(8)
    stops = (snapshot.stops[0], msgspec.structs.replace(snapshot.stops[1], reason="breakpoint"), *snapshot.stops[2:])
    edit = Edit(1, "model.fc1.weight", None, "0", "1", "0", 4, 1)
    session = msgspec.structs.replace(snapshot.session, edits=(edit,))
    marked = msgspec.structs.replace(snapshot, stops=stops, session=session)
    assert text(timeline.draw(marked, 80)) == " stops │1·●·e··│2·▶"
    assert [span.target for span in timeline.draw(marked, 80) if span.text == "●"] == [StopTarget(2)]
    for undone_at, strip in ((4, " stops │1·●····│2·▶"), (6, " stops │1·●·e·e│2·▶"), (8, " stops │1·●·e··│2·e▶")):
        undone = msgspec.structs.replace(edit, undone=True, undone_at=undone_at)
        after = msgspec.structs.replace(marked, session=msgspec.structs.replace(session, edits=(undone,)))
        assert text(timeline.draw(after, 80)) == strip, "training ran with it until then"


@given(st.integers(1, 200), st.integers(1, 400), st.integers(0, 400))
def test_a_strip_of_any_length_fits_and_has_the_stop_looked_at_in_it(width: int, number: int, looked: int) -> None:
    past_at = looked if 0 < looked < number else None
    line = timeline.draw(at_stops(number, past_at), width)
    assert widest([line]) <= width
    if width >= 40:
        assert any(span.target == StopTarget(past_at or number) for span in line)
        assert ("[" in text(line)) == (past_at is not None)


def test_the_header_says_past_and_how_to_come_back() -> None:
    past = msgspec.structs.replace(at(stop_after("loss")), looking_back=True, stops=ticks(300), past_at=256)
    assert text(header.draw(past, 80, 0.0)).startswith(
        " mnist.py   PAST  update 42, before backward · ] later, esc now · epoch 1"
    )
    last = msgspec.structs.replace(past, stops=ticks(257), past_at=256)
    assert "PAST  update 42, before backward · ] goes back to now" in text(header.draw(last, 80, 0.0))


def test_why_no_optimizer_keeps_anything_under_a_tensor_is_told_by_whether_it_has_stepped() -> None:
    bare = msgspec.structs.replace(KNOWN, hangs=KNOWN.hangs[:1])
    said = []
    for steps, stateful in ((0, False), (3, False), (3, True)):
        known = msgspec.structs.replace(bare, steps=steps, stateful=stateful)
        snapshot = knowing(at(stop_after("backward")), known)
        said.append(drawn(identity.draw(snapshot, Frame(100, 40), NAME)))
    assert "none yet: an optimizer makes it at its first step" in said[0]
    assert "none: Adam keeps none with these settings" in said[1]
    assert "none: no step has found a gradient on it" in said[2]


def test_what_has_changed_since_the_last_stop_is_not_said_to_be_just_done_by_the_phase() -> None:
    found = effects(("parameter", "changed", 1), names=(NAME,), hint=True)
    snapshot = knowing(at(stop_after("step", effects=found)), KNOWN)
    words = drawn(identity.draw(snapshot, Frame(100, 40), NAME))
    assert "*? changed since the last stop" in words
    assert "by step" not in words


def test_the_owners_are_named_whole_with_a_word_on_each_at_160_columns() -> None:
    width = boxes("wide", 160, 40, order(tuple(PANELS.values()), ["effects"]))["effects"].width
    known = msgspec.structs.replace(KNOWN, owners=KNOWN.owners[:2])
    snapshot = knowing(at(stop_after("backward")), known)
    drawing = identity.draw(snapshot, Frame(width, 16), NAME)
    words = drawn(drawing)
    assert 'optimizer.param_groups[0]["params"][2]' in words
    assert "attribute of Linear" in words
    assert "in Adam's list" in words
    assert widest(drawing.body) <= width
