"""Where an action applies: a question to the context of a key, for each action of the registry that needs one."""

from __future__ import annotations

from stepdbg.protocol.phases import KINDS
from stepdbg.tui.actions.action import ActionContext, Applies
from stepdbg.tui.records import exchanges
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.snapshot import neighbour
from stepdbg.tui.words.goal import goal_of

_CLOSED = frozenset(kind.name for kind in KINDS if not kind.has_inside)
"""Phases that have nothing inside."""


def in_panel(*panels: str) -> Applies:
    """One of these panels has the focus."""
    return lambda here: here.panel in panels


def offered(action: str) -> Applies:
    """The panel in focus offers the action of that id."""
    return lambda here: action in here.offers


# whether training waits, and what is looked at


def running(here: ActionContext) -> bool:
    """Training runs."""
    return here.snapshot.state == "running"


def under_way(here: ActionContext) -> bool:
    """Training runs to somewhere, or was paused on its way."""
    return (running(here) or goes_on_now(here)) and not in_the_past(here) and goal_of(here.snapshot) is not None


def alive(here: ActionContext) -> bool:
    """A process is there that trains, or will."""
    return here.snapshot.state in ("starting", "running", "paused")


def in_the_past(here: ActionContext) -> bool:
    """An earlier stop is looked at."""
    return here.snapshot.past_at is not None


def not_in_the_past(here: ActionContext) -> bool:
    """The present is looked at, whether training waits or not."""
    return here.snapshot.past_at is None


def waits_now(here: ActionContext) -> bool:
    """Training waits, and it is not its past that is looked at."""
    return here.snapshot.paused and here.snapshot.past_at is None


def moves(here: ActionContext) -> bool:
    """Training waits, or its past is looked at: there keys move in the past."""
    return here.snapshot.paused or in_the_past(here)


def goes_on_now(here: ActionContext) -> bool:
    """Training stands, there is something for it to go on to, and the present is looked at."""
    return not in_the_past(here) and goes_on(here)


def goes_on(here: ActionContext) -> bool:
    """Training stands, and there is something for it to go on to."""
    if in_the_past(here):
        return True
    stop = here.snapshot.stop
    follows = stop is not None and stop.failure is None and (stop.boundary.next or stop.inner) is not None
    return here.snapshot.paused and follows


def enters(here: ActionContext) -> bool:
    """Training waits in a phase, or before one that can be gone through by operators."""
    stop = here.snapshot.stop
    if not here.snapshot.paused or stop is None or stop.failure is not None:
        return False
    if stop.inner is not None:
        return bool(stop.boundary.inside)
    return stop.boundary.next is not None and stop.boundary.next not in _CLOSED


def has_result(here: ActionContext) -> bool:
    """The stop that is looked at lies within a phase, and is about tensors."""
    stop = here.snapshot.seen.stop
    return stop is not None and stop.inner is not None and bool(stop.inner.tensors)


def has_earlier(here: ActionContext) -> bool:
    """There is a stop before the one that is looked at."""
    return neighbour(here.snapshot, -1) is not None


def several_ranks(here: ActionContext) -> bool:
    """Several processes train."""
    return len(here.snapshot.session.ranks) > 1


def restartable(here: ActionContext) -> bool:
    """The hub can run the script again."""
    return here.snapshot.session.terminal and not here.snapshot.lost


# what the cursor is on


def on_breakpoint(here: ActionContext) -> bool:
    """The cursor is on a breakpoint or a watch."""
    return here.panel == "breaks" and here.selected


def on_findings(here: ActionContext) -> bool:
    """The Findings panel has the focus, and training can still stop for one."""
    return here.panel == "findings" and alive(here)


def on_finding(here: ActionContext) -> bool:
    """The cursor is on a finding."""
    return here.panel == "findings" and here.selected


def editable(here: ActionContext) -> bool:
    """The cursor is on something that can be edited, here and now."""
    return waits_now(here) and here.editable and not here.snapshot.session.readonly


def edited(here: ActionContext) -> bool:
    """An edit of this rank stands that can be undone."""
    edits = [edit for edit in here.snapshot.session.edits if edit.rank == here.snapshot.rank]
    stands = any(not (edit.undone or edit.lapsed) for edit in edits)
    return waits_now(here) and stands and not here.snapshot.session.readonly


def opens(here: ActionContext) -> bool:
    """The cursor is on something that the Tensor panel can show."""
    return (here.panel in ("model", "optimizer", "effects", "source") or graphed(here)) and here.selected


def folds(here: ActionContext) -> bool:
    """The cursor is on a module, or on the constants of a group."""
    return here.panel in ("model", "optimizer") and "fold" in here.offers and not here.selected


def ownable(here: ActionContext) -> bool:
    """There is a tensor at hand whose owners can be shown."""
    return here.ownable and (here.snapshot.paused or in_the_past(here))


def counted(here: ActionContext) -> bool:
    """The cursor is on a count of effects."""
    return here.panel == "effects" and here.view == "matrix"


def numbers(here: ActionContext) -> bool:
    """The numbers of a tensor are in focus."""
    return here.panel == "tensor" and here.view != "graph"


def graphed(here: ActionContext) -> bool:
    """The graph behind a tensor is in focus."""
    return here.panel == "tensor" and here.view == "graph"


def on_graph_row(here: ActionContext) -> bool:
    """The cursor is on a row of the graph that opens."""
    return graphed(here) and "graph_row" in here.offers


# ways back


def filtered(here: ActionContext) -> bool:
    """The Model panel is filtered: `esc` takes that away first."""
    return here.panel == "model" and "find_clear" in here.offers and not in_the_past(here)


def leads_back(here: ActionContext) -> bool:
    """Something was opened here that can be left, or the past can be."""
    if filtered(here):
        return False
    inner = here.view in ("names", "identity", "inner", "foresight", "history") or here.came_from
    opened = bool(here.opened_from)
    within = here.panel in ("effects", "optimizer", "loss") and bool(inner)
    return opened or in_the_past(here) or within or graphed(here)


def leads_aside(here: ActionContext) -> bool:
    """Nothing was opened here that could be left, but another panel was left for this one."""
    return here.left and not leads_back(here) and not filtered(here)


# panels


def away_from_filter(here: ActionContext) -> bool:
    """A panel has the focus in which `/` stands for nothing else."""
    return here.panel not in ("model", "output", "console")


def columns(here: ActionContext) -> bool:
    """There is room for several panels at once."""
    return here.columns


def hinted(here: ActionContext) -> bool:
    """Hints for newcomers are shown."""
    return here.hinted


# frames, console, input


def has_frames(here: ActionContext) -> bool:
    """There are frames to walk through."""
    return here.snapshot.past_at is None and len(frames.shown(here.snapshot)) > 1


def has_libraries(here: ActionContext) -> bool:
    """Frames of libraries are among those that the panel in focus is about."""
    return here.panel in ("source", "console") and frames.has_libraries(here.snapshot)


def has_variables(here: ActionContext) -> bool:
    """The Source panel is in focus, and there is a frame."""
    return here.panel == "source" and here.snapshot.stop is not None


def takes_python(here: ActionContext) -> bool:
    """There is a process that the console can run something in."""
    return here.snapshot.past_at is None and not here.snapshot.session.readonly and alive(here)


def evaluates(here: ActionContext) -> bool:
    """The console runs something."""
    return exchanges.under_way(here.snapshot.console)


def said(here: ActionContext) -> bool:
    """There is something in the console."""
    return here.panel == "console" and bool(here.snapshot.console)


def completes(here: ActionContext) -> bool:
    """A name is typed in the console."""
    return here.panel == "console" and "console_complete" in here.offers


def tabs(here: ActionContext) -> bool:
    """The key is not for what is typed."""
    return not (here.typing and completes(here))


def takes_input(here: ActionContext) -> bool:
    """The script can be typed to, and its output is in focus, or it waits for a line."""
    return alive(here) and here.snapshot.session.terminal and (here.panel == "output" or here.snapshot.asking)
