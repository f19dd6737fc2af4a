"""What the rules have found on the screen: a line under the sentence where it is met first, marks, and a panel."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from tui.builders import at, knowing, model_objects, shown, stop_after
from tui.stage import Stage, stage

from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, Finding, FindingMet, SessionState, SourceText
from stepdbg.tui.drawing.lines import ASCII, UNICODE, Frame, target_at, text
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panels.findings import view
from stepdbg.tui.panels.model import view as model
from stepdbg.tui.panels.source import view as source
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget
from stepdbg.tui.top import rail
from stepdbg.tui.top.findings import met_here
from stepdbg.tui.top.top import Top

STALE = Finding(
    "stale-gradients", "error",
    "this step uses gradients of update 41 again: backward at train.py:71 has added to them, and nothing has cleared "
    "them since the step at train.py:72",
    ("model.conv1.weight.grad", "model.fc1.bias.grad"), "/home/me/train.py", 71, 42, 42,
    "2 of 8 gradients", "no zero_grad", "call optimizer.zero_grad()", phase="backward",
)  # fmt: skip
ALONE = Finding("not-in-optimizer", "warning", "model.fc1.bias is in no optimizer", ("model.fc1.bias",), phase="step")
FACT = Finding("tied-parameters", "info", "two names are one tensor", ("model.fc1.bias",), phase="step")


def met(snapshot: Snapshot, *findings: Finding) -> Snapshot:
    """The snapshot of a session in which these were met at the stop in view, unless they say another."""
    here = [msgspec.structs.replace(one, boundary=one.boundary or snapshot.boundary) for one in findings]
    return msgspec.structs.replace(
        snapshot, session=msgspec.structs.replace(snapshot.session, findings=tuple(here), directory="/home/me")
    )


def under(snapshot: Snapshot, width: int = 80, height: int = 7) -> list[str]:
    """The lines below the rail."""
    top = Top(Palette(defaultdict(lambda: "#202020")), snapshot)
    return [text(line).strip() for line in top.lines(width, height)][rail.HEIGHT :]


def test_what_is_found_has_a_line_under_the_sentence_at_the_stop_where_it_is_met_first() -> None:
    here = met(at(stop_after("step")), STALE)
    assert under(here)[-1] == "! stale-gradients: this step uses gradients of update 41 again … (why: K)"
    assert "step changed 8 parameters" in " ".join(under(here))
    assert under(here, 200)[-1] == f"! stale-gradients: {STALE.message} (why: K)"
    later = met(at(stop_after("forward", update=43)), msgspec.structs.replace(STALE, boundary=here.boundary))
    assert not met_here(later)


def test_the_worst_comes_first_others_are_counted_and_facts_are_none() -> None:
    lines = under(met(at(stop_after("step")), FACT, ALONE, STALE))
    assert lines[-1].startswith("! stale-gradients")
    assert lines[-1].endswith("(1 more: K)")
    assert not met_here(met(at(stop_after("step")), FACT))
    assert not met_here(met(at(stop_after("step")), msgspec.structs.replace(STALE, rank=1))), "another rank's"


def test_a_suspicion_that_no_rule_has_found_stands_beside_it_where_there_is_room() -> None:
    doubt = "all 8 parameters are NaN"
    lines = under(met(at(stop_after("step", suspicion=doubt)), ALONE), 120, 8)
    assert lines[-2:] == ["! not-in-optimizer: model.fc1.bias is in no optimizer (why: K)", f"! {doubt}"]


@pytest.mark.parametrize("width", [80, 160])
def test_the_phase_that_it_is_about_is_marked_on_the_rail_and_no_box_moves(width: int) -> None:
    bare = text(rail.draw(at(stop_after("step")), width)[0])
    line = rail.draw(met(at(stop_after("step")), STALE), width)[0]
    marked = text(line)
    assert "backward!" in marked
    assert marked.index("step") == bare.index("step")
    assert marked.count("!") == 1
    assert target_at(line, marked.index("!")) == PanelTarget("findings")
    assert "step!" not in text(rail.draw(met(at(stop_after("step")), FACT), width)[0])


def test_in_the_past_what_was_not_known_yet_is_not_marked() -> None:
    here = met(at(stop_after("step")), STALE)
    earlier = stop_after("step", update=41)
    ranks = tuple(msgspec.structs.replace(one, stop=earlier) for one in here.session.ranks)
    back = msgspec.structs.replace(here, session=msgspec.structs.replace(here.session, ranks=ranks), looking_back=True)
    assert "backward!" not in text(rail.draw(back, 80)[0])
    assert "backward!" in text(rail.draw(msgspec.structs.replace(here, looking_back=True), 80)[0])


def test_of_several_steps_the_mark_is_on_that_of_the_optimizer() -> None:
    stop = stop_after("step")
    phases = tuple(msgspec.structs.replace(one, of="opt_d") if one.name == "step" else one for one in stop.phases)
    stop = msgspec.structs.replace(stop, phases=phases)
    assert "step!" in text(rail.draw(met(at(stop), msgspec.structs.replace(ALONE, of="opt_d")), 120)[0])
    assert "step!" not in text(rail.draw(met(at(stop), msgspec.structs.replace(ALONE, of="opt_g")), 120)[0])


def test_the_rows_that_it_names_are_marked_in_the_model_panel() -> None:
    snapshot = knowing(met(at(stop_after("step")), STALE, ALONE), model_objects())
    lines = shown(model.draw(snapshot, Frame(80, 30)).body).splitlines()
    marked = [" ".join(line.split()[:3]) for line in lines if "!" in line]
    assert marked == ["*! weight 8×1×3×3", "*! bias [8]"]
    assert "! see Findings (K)" in shown(model.draw(snapshot, Frame(80, 30)).foot)


def test_the_line_that_it_names_is_marked_in_the_source() -> None:
    where = ("/home/me/train.py", 70)
    code = SourceText("/home/me/train.py", "\n".join(f"line_{number}" for number in range(1, 90)))
    snapshot = knowing(met(at(stop_after("step", line_next=where)), STALE), sources={where[0]: code})
    lines = shown(source.draw(snapshot, Frame(60, 89)).body).splitlines()
    assert [line.split()[0] for line in lines if "!" in line] == ["!71"]


def drawn(snapshot: Snapshot, width: int, *opened: Finding, ascii_only: bool = False, height: int = 20) -> str:
    frame = Frame(width, height, glyphs=ASCII if ascii_only else UNICODE)
    found = view.draw(snapshot, frame, {view.key_of(one) for one in opened})
    assert all(len(text(line)) <= width for line in (*found.head, *found.body, *found.foot))
    return shown((found.title, *found.head, *found.body, *found.foot))


@pytest.mark.parametrize("width", [40, 50, 80, 120])
def test_the_panel_lists_the_worst_first_with_place_and_updates(width: int) -> None:
    snapshot = met(at(stop_after("step")), FACT, ALONE, msgspec.structs.replace(STALE, last=57))
    lines = drawn(snapshot, width).splitlines()
    assert lines[0] == "1 error, 1 warning, 1 info"
    assert [next(word for word in line.split() if "-" in word) for line in lines[2:5]] == [
        "stale-gradients", "not-in-optimizer", "tied-parameters",
    ]  # fmt: skip
    assert ("train.py:71  updates 42–57" if width > 40 else "train.py:71") in lines[2]
    assert ("this step uses" in lines[2]) is (width > 70)


@pytest.mark.parametrize("width", [50, 80])
def test_one_that_is_opened_tells_cause_fix_and_evidence(width: int) -> None:
    snapshot = met(at(stop_after("step")), STALE)
    told = " ".join(drawn(snapshot, width, STALE).split())
    for words in ("nothing has cleared them since", "cause no zero_grad", "fix call optimizer.zero_grad()",
                  "evidence 2 of 8 gradients", "docs/rules/stale-gradients.md"):  # fmt: skip
        assert words in told
    assert "…" not in drawn(snapshot, width, STALE, ascii_only=True)


def test_it_is_said_when_the_rules_look() -> None:
    empty = " ".join(drawn(at(stop_after("step")), 60).split())
    assert "Nothing found so far. The rules look at each phase while you step (n, f)" in empty
    assert "in a free run (c) they are off: `stepdbg check mnist.py` looks at every update" in empty
    assert "the rules look while you step; `stepdbg check mnist.py`" in drawn(met(at(stop_after("step")), STALE), 80)
    stops = at(stop_after("step"), breakpoints=(Breakpoint(1, finding=True),))
    assert "stops at each new finding, which is slower" in drawn(stops, 60)
    assert "look at every phase" in drawn(met(stops, STALE), 80)


async def found(here: Stage, *findings: Finding) -> None:
    """The rank tells of these, met where it stands."""
    run = here.hub.session.run
    boundary = here.app.snapshot.boundary
    for one in findings:
        run.heard(next(iter(run.ranks)), FindingMet(msgspec.structs.replace(one, boundary=boundary)))
    here.hub.session._clients.changed()  # as the stop does that follows on them
    await here.until(lambda: len(here.app.snapshot.session.findings) == len(findings), "the findings")


async def test_enter_opens_one_and_shows_its_line_until_the_next_stop() -> None:
    async with stage((100, 30)) as here:
        await here.step_to("step")
        stands = here.app.snapshot.stop
        assert stands is not None
        assert stands.line_next is not None
        await found(here, msgspec.structs.replace(STALE, file=stands.line_next[0], line=4))
        await here.until_seen("stale-gradients: this step uses")
        await here.press("K", "enter")
        await here.until_seen("call optimizer.zero_grad()")
        assert here.app.panel_layout.focused_name() == "findings"
        assert here.app.panel_layout.is_shown("source")
        panel = here.panel("source")
        await here.until(lambda: panel.cursor == 3, "its line under the cursor")
        await here.press("enter")
        assert "call optimizer.zero_grad()" not in here.text
        await here.press("n")
        await here.until(lambda: panel.cursor != 3, "the line of the next stop")


async def test_space_has_training_stop_for_what_is_found_and_no_more() -> None:
    async with stage((80, 24)) as here:
        await here.press("K", "space")
        await here.until(lambda: [one.finding for one in breakpoints(here)] == [True], "a breakpoint on findings")
        await here.until_seen("● space stops at each new finding")
        await here.press("8")
        await here.until_seen("new finding")
        await here.press("K", "space")
        await here.until(lambda: [one.enabled for one in breakpoints(here)] == [False], "that it is off")
        here.app.hub.send(AddBreakpoint(Breakpoint(0, finding=True)))
        await here.until(lambda: [one.enabled for one in breakpoints(here)] == [True], "that it is on again")


def breakpoints(here: Stage) -> tuple[Breakpoint, ...]:
    session: SessionState = here.app.snapshot.session
    return session.breakpoints
