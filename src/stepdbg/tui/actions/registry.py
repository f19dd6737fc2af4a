"""The one registry of what a user can do: bindings, footer, help, palette and README table all come from here.

An action says where it applies; where it does not, its key does nothing, and it is shown nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.actions.stepping import enters, has_result
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.exchanges import under_way
from stepdbg.tui.state.snapshot import Snapshot, neighbour

PANELS = {
    "1": "model", "2": "tensor", "3": "effects", "4": "optimizer", "5": "loss", "6": "source", "7": "output",
    "8": "breaks", "9": "console",
}  # fmt: skip
"""The panels by the digit that goes to them."""
NAMES = {
    "model": "Model", "tensor": "Tensor", "effects": "Effects", "optimizer": "Optimizer", "loss": "Loss",
    "source": "Source", "output": "Output", "breaks": "Breaks", "console": "Console", "rail": "Rail",
}  # fmt: skip
SIDEWAYS = ("model", "tensor", "effects", "optimizer", "rail")
DIGITS = {panel: digit for digit, panel in PANELS.items()}


class Situation(Struct, frozen=True):
    """What an action's applicability is judged by."""

    snapshot: Snapshot
    panel: str
    """The panel in focus: a name of `NAMES`."""
    editable: bool = False
    """Whether there is something under the cursor that can be edited."""
    selected: bool = False
    """Whether there is something under the cursor that enter opens or switches."""
    offers: frozenset[str] = frozenset()
    """Actions that apply because the panel in focus says so."""
    columns: bool = False
    """Whether there is room for several panels at once."""
    hinted: bool = False
    """Whether hints for newcomers are shown."""
    actions: tuple[Action, ...] = field(default_factory=lambda: ACTIONS)
    """The registry, with the user's own keys."""
    view: str = ""
    """Which of its views the panel shows, where it has several: `matrix`, `names`, `identity`, `graph`."""
    ownable: bool = False
    """Whether there is a tensor under the cursor whose owners can be asked for."""
    came_from: str = ""
    """The panel that the owners of a tensor were asked from, where they are still shown."""
    typing: bool = False
    """Whether keys go to the input of the panel: a command of the console, a filter."""
    opened_from: str = ""
    """The panel from which what is shown here was opened; empty where the user only went to this panel."""
    left: bool = False
    """Whether another panel was left for this one."""


Applies = Callable[[Situation], bool]


def _always(_: Situation) -> bool:
    return True


def _moves(here: Situation) -> bool:
    """Training waits, or its past is looked at: there keys move in the past."""
    return here.snapshot.paused or _in_the_past(here)


def _goes_on(here: Situation) -> bool:
    if _in_the_past(here):
        return True
    stop = here.snapshot.stop
    goes_on = stop is not None and stop.failure is None and (stop.boundary.next or stop.inner) is not None
    return here.snapshot.paused and goes_on


def _running(here: Situation) -> bool:
    return here.snapshot.state == "running"


def _alive(here: Situation) -> bool:
    return here.snapshot.state in ("starting", "running", "paused")


def _editable(here: Situation) -> bool:
    return _now(here) and here.editable and not here.snapshot.session.readonly


def _now(here: Situation) -> bool:
    """Training waits, and it is not its past that is looked at."""
    return here.snapshot.paused and here.snapshot.past_at is None


def _has_earlier(here: Situation) -> bool:
    return neighbour(here.snapshot, -1) is not None


def _in_the_past(here: Situation) -> bool:
    return here.snapshot.past_at is not None


def _leads_back(here: Situation) -> bool:
    if _clears(here):
        return False
    inner = here.view in ("names", "identity", "inner", "foresight") or here.came_from
    opened = bool(here.opened_from)
    return opened or _in_the_past(here) or (here.panel in ("effects", "optimizer") and bool(inner)) or _graphed(here)


def _leads_aside(here: Situation) -> bool:
    """Nothing was opened here that could be left, but another panel was left for this one."""
    return here.left and not _leads_back(here) and not _clears(here)


def _clears(here: Situation) -> bool:
    """The filter is what `esc` takes away first."""
    return here.panel == "model" and "find_clear" in here.offers and not _in_the_past(here)


def _graphed(here: Situation) -> bool:
    return here.panel == "tensor" and here.view == "graph"


def _on_graph_row(here: Situation) -> bool:
    return _graphed(here) and "graph_row" in here.offers


def _numbers(here: Situation) -> bool:
    return here.panel == "tensor" and here.view != "graph"


def _ownable(here: Situation) -> bool:
    return here.ownable and (here.snapshot.paused or _in_the_past(here))


def _counted(here: Situation) -> bool:
    return here.panel == "effects" and here.view == "matrix"


def _edited(here: Situation) -> bool:
    edits = [edit for edit in here.snapshot.session.edits if edit.rank == here.snapshot.rank]
    return _now(here) and any(not (edit.undone or edit.lapsed) for edit in edits) and not here.snapshot.session.readonly


def _several_ranks(here: Situation) -> bool:
    return len(here.snapshot.session.ranks) > 1


def _restartable(here: Situation) -> bool:
    return here.snapshot.session.terminal and not here.snapshot.lost


def _hinted(here: Situation) -> bool:
    return here.hinted


def _columns(here: Situation) -> bool:
    return here.columns


def _in(*panels: str) -> Applies:
    return lambda here: here.panel in panels


def _offered(action: str) -> Applies:
    return lambda here: action in here.offers


def _on_breakpoint(here: Situation) -> bool:
    return here.panel == "breaks" and here.selected


def _input(here: Situation) -> bool:
    return _alive(here) and here.snapshot.session.terminal and (here.panel == "output" or here.snapshot.asking)


def _elsewhere(here: Situation) -> bool:
    return here.panel not in ("model", "output", "console")


def _folds(here: Situation) -> bool:
    return here.panel in ("model", "optimizer") and "fold" in here.offers and not here.selected


def _opens(here: Situation) -> bool:
    return (here.panel in ("model", "optimizer", "effects", "source") or _graphed(here)) and here.selected


def _frames(here: Situation) -> bool:
    return here.snapshot.past_at is None and len(frames.shown(here.snapshot)) > 1


def _libraries(here: Situation) -> bool:
    return here.panel in ("source", "console") and frames.has_libraries(here.snapshot)


def _variables(here: Situation) -> bool:
    return here.panel == "source" and here.snapshot.stop is not None


def _console(here: Situation) -> bool:
    return here.snapshot.past_at is None and not here.snapshot.session.readonly and _alive(here)


def _completes(here: Situation) -> bool:
    return here.panel == "console" and "console_complete" in here.offers


def _tabs(here: Situation) -> bool:
    """The key is not for what is typed."""
    return not (here.typing and _completes(here))


def _evaluates(here: Situation) -> bool:
    return under_way(here.snapshot.console)


def _said(here: Situation) -> bool:
    return here.panel == "console" and bool(here.snapshot.console)


class Action(Struct, frozen=True):
    """One thing that a user can do."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them; the first is the one that is shown."""
    label: str
    """A word or two, for the footer."""
    help: str
    """A sentence, for help and palette."""
    group: str
    where: Applies = field(default=_always)
    footer: bool = False
    """Whether the footer shows it where it applies."""
    palette: bool = True
    typing: bool | None = False
    """Whether it is for while something is typed: then only, never, or (None) then as well."""

    def applies(self, here: Situation) -> bool:
        """Whether it does something here."""
        return self.typing in (None, here.typing) and self.where(here)


ACTIONS: tuple[Action, ...] = (
    Action("next", ("n", "f10"), "next", "run the next phase and stop", "Steer", _moves, footer=True),
    Action("into", ("s",), "in", "step into the phase: next module, gradient, parameter", "Steer", _goes_on, True),
    Action("operator", ("I",), "operator", "step into the phase by operators, or nodes of the graph", "Steer", enters),
    Action("finish", ("f",), "finish", "finish this update: stop where the next one opens", "Steer", _goes_on, True),
    Action("continue", ("c", "f5"), "continue", "run until a breakpoint or the end", "Steer", _moves, True),
    Action(
        "console_interrupt",
        ("ctrl+c",),
        "interrupt",
        "interrupt what the console runs",
        "Console",
        _evaluates,
        True,
        typing=None,
    ),
    Action(
        "pause",
        ("p", "ctrl+c"),
        "pause",
        "pause at the next boundary; a second one while nothing stops shows where it hangs",
        "Steer",
        _running,
        True,
    ),
    Action("rank", ("r",), "next rank", "show and steer the next rank; no other moves", "Steer", _several_ranks, True),
    Action(
        "break",
        ("b", "f9"),
        "break",
        "set a breakpoint on the selected phase, or on the phase of the line under the cursor",
        "Breakpoints",
        _alive,
        footer=True,
    ),
    Action(
        "switch",
        ("space", "enter"),
        "on/off",
        "switch the breakpoint under the cursor on or off",
        "Breakpoints",
        _on_breakpoint,
        footer=True,
    ),
    Action(
        "remove",
        ("delete", "backspace"),
        "remove",
        "remove the breakpoint under the cursor",
        "Breakpoints",
        _on_breakpoint,
        footer=True,
    ),
    Action(
        "edit", ("e",), "edit", "edit what is under the cursor: old and new are shown first", "Edit", _editable, True
    ),
    Action("edit_all", ("E",), "edit all", "edit the whole tensor", "Edit", _editable),
    Action("undo", ("x",), "undo edit", "undo the last edit", "Edit", _edited, footer=True),
    Action("back", ("escape",), "back", "back to where one came from; from the past to now", "Look", _leads_back, True),
    Action("leave_panel", ("escape",), "panel before", "go back to the panel before this", "Look", _leads_aside),
    Action(
        "fold",
        ("enter",),
        "fold",
        "fold or unfold the module, or the constants, under the cursor; in Model so do left and right",
        "Look",
        _folds,
        True,
    ),
    Action("open", ("enter",), "open", "open what is under the cursor in the Tensor panel", "Look", _opens, True),
    Action(
        "graph_row",
        ("enter",),
        "open",
        "open the branch, or go to where it joins",
        "Look",
        _on_graph_row,
        True,
    ),
    Action(
        "find",
        ("slash",),
        "find",
        "filter the tensors as you type: part of a name, class:Linear, dtype:bf16, grad:none, changed, frozen, nan",
        "Look",
        _in("model"),
        True,
    ),
    Action(
        "find_tensor", ("slash",), "find a tensor", "go to the panel Model and filter as you type", "Look", _elsewhere
    ),
    Action("came_out", ("V",), "result", "open what came out inside; v shows what went in", "Look", has_result, True),
    Action("names", ("enter",), "names", "list the objects behind the count under the cursor", "Look", _counted, True),
    Action(
        "owners",
        ("a",),
        "owners",
        "show who owns the tensor under the cursor, and what hangs on it",
        "Look",
        _ownable,
        True,
    ),
    Action(
        "graph", ("B",), "graph", "show the graph behind the tensor under the cursor, or the loss", "Look", _now, True
    ),
    Action(
        "earlier",
        ("left_square_bracket",),
        "earlier",
        "look at the stop before, without going there",
        "Look",
        _has_earlier,
        True,
    ),
    Action("later", ("right_square_bracket",), "later", "look at the stop after this one", "Look", _in_the_past, True),
    Action(
        "part",
        ("v",),
        "part",
        "show the next part of the tensor: value, gradient, optimizer state",
        "Look",
        _numbers,
        footer=True,
    ),
    Action(
        "map",
        ("m",),
        "map",
        "show numbers, a heat map, both, or value, gradient and state beside each other; images as pictures",
        "Look",
        _offered("map"),
        True,
    ),
    Action(
        "pool",
        ("M",),
        "extreme",
        "a pixel of the heat map shows the mean of its elements, the one farthest from 0, or is one element",
        "Look",
        _offered("pool"),
        True,
    ),
    Action(
        "slice_next",
        ("full_stop",),
        "slice",
        "show the next slice of a tensor of many dimensions, or the next picture",
        "Look",
        _offered("slice_next"),
        True,
    ),
    Action(
        "slice_previous",
        ("comma",),
        "previous slice",
        "show the previous slice or picture",
        "Look",
        _offered("slice_previous"),
    ),
    Action(
        "side",
        ("D",),
        "before/change",
        "show the tensor as it was before the phase that changed it last, the difference, or what it is now",
        "Look",
        _offered("side"),
        True,
    ),
    Action(
        "jump",
        ("at",),
        "go to, slice",
        "go to an element ([10, 0]), or show a slice in Python's syntax ([0, :8, ::2])",
        "Look",
        _offered("jump"),
        True,
    ),
    Action(
        "mark",
        ("asterisk",),
        "mark",
        "mark elements: nan, > 0.5, -1..1, outside -1..1",
        "Look",
        _offered("mark"),
        True,
    ),
    Action(
        "find_next",
        ("greater_than_sign",),
        "next marked",
        "go to the next marked element; if none are marked, to the next NaN or infinity",
        "Look",
        _offered("mark"),
    ),
    Action(
        "find_previous",
        ("less_than_sign",),
        "previous marked",
        "go to the previous marked element, or NaN or infinity",
        "Look",
        _offered("mark"),
    ),
    Action("frame_up", ("u",), "frame up", "look at the frame that called this one", "Look", _frames),
    Action("frame_down", ("d",), "frame down", "look at the frame that this one has called", "Look", _frames),
    Action(
        "unfold",
        ("U",),
        "library frames",
        "show the frames of libraries among the user's own, or fold them away",
        "Look",
        _libraries,
    ),
    Action(
        "variables",
        ("L",),
        "code/variables",
        "put the cursor on the variables of the frame, or back on the code",
        "Look",
        _variables,
        True,
    ),
    Action(
        "console",
        ("exclamation_mark",),
        "console",
        "type Python that is run in the chosen frame (u and d choose it)",
        "Console",
        _console,
        True,
    ),
    Action(
        "copy",
        ("y",),
        "copy",
        "copy what is under the cursor to the terminal's clipboard",
        "Keep",
        _offered("copy"),
        True,
    ),
    Action(
        "copy_more",
        ("Y",),
        "copy more",
        "copy the figures of the tensor; in the other panels, the panel",
        "Keep",
        _offered("copy"),
    ),
    Action(
        "save",
        ("ctrl+s",),
        "save",
        "save a tensor, the whole state, a table or the screen to a file",
        "Keep",
        lambda here: not _in_the_past(here),  # only the present can be saved, and that is not what is seen
        footer=True,
    ),
    Action("foresee", ("W",), "next step", "show what the next step would do to a parameter", "Look", _ownable, True),
    Action("input", ("i",), "type to script", "send a line to the script's standard input", "Look", _input, True),
    Action(
        "console_run",
        ("enter",),
        "run",
        "run what was typed; a block ends with an empty line",
        "Console",
        _in("console"),
        footer=True,
        typing=True,
    ),
    Action(
        "console_complete",
        ("tab",),
        "complete",
        "complete a name; at the start of a line, indent it",
        "Console",
        _completes,
        footer=True,
        typing=True,
    ),
    Action(
        "console_history",
        ("up", "down"),
        "history",
        "what was typed before, and after that",
        "Console",
        _in("console"),
        footer=True,
        typing=True,
    ),
    Action(
        "console_leave",
        ("escape",),
        "leave",
        "leave the input, so that keys step again",
        "Console",
        _in("console"),
        footer=True,
        typing=True,
    ),
    Action("console_clear", ("ctrl+l",), "clear", "clear the console", "Console", _said, typing=None),
    *(
        Action(f"panel_{name}", (digit,), NAMES[name], f"go to the panel {NAMES[name]}", "Panels")
        for digit, name in PANELS.items()
    ),
    Action("rail", ("0",), "rail", "go to the rail: left and right select a phase, b acts on it", "Panels"),
    Action("focus_next", ("tab",), "next panel", "go to the next panel", "Panels", _tabs, typing=None),
    Action("focus_previous", ("shift+tab",), "previous panel", "go to the panel before", "Panels", typing=None),
    Action("zoom", ("z",), "zoom", "show one panel alone, or all again", "Panels", _columns),
    Action(
        "find_done",
        ("enter",),
        "keep",
        "stop typing and keep the filter",
        "Look",
        _in("model"),
        footer=True,
        palette=False,
        typing=True,
    ),
    Action("find_clear", ("escape",), "show all", "show all tensors again", "Look", _clears, True, typing=None),
    Action("sort", ("O",), "order", "sort by the next column, or as the modules hold them", "Look", _in("model"), True),
    Action("fold_all", ("minus",), "fold all", "fold all modules", "Look", _offered("fold_all")),
    Action("unfold_all", ("plus",), "unfold all", "unfold all modules", "Look", _offered("unfold_all")),
    Action("up", ("up", "k"), "up", "move up", "Move"),
    Action("down", ("down", "j"), "down", "move down", "Move"),
    Action("left", ("left", "h"), "left", "move left", "Move", _in(*SIDEWAYS)),
    Action("right", ("right", "l"), "right", "move right", "Move", _in(*SIDEWAYS)),
    Action("page_up", ("pageup",), "page up", "move up by a page", "Move"),
    Action("page_down", ("pagedown",), "page down", "move down by a page", "Move"),
    Action("first", ("home", "g"), "first", "go to the first row", "Move"),
    Action("last", ("end", "G"), "last", "go to the last row", "Move"),
    Action(
        "restart",
        ("R",),
        "run again",
        "run the script again from its start, breakpoints kept; it asks first while training is alive",
        "Session",
        _restartable,
    ),
    Action("no_hints", ("H",), "no hints", "no more hints, now or later", "Session", _hinted),
    Action("help", ("question_mark",), "help", "show the keys and the signs", "Session", footer=True),
    Action("quit", ("q", "ctrl+q"), "quit", "leave: detach, or stop training; it asks first", "Session", footer=True),
    Action(
        "command_palette",
        ("ctrl+p",),
        "all",
        "find a command by its name: all that can be done here",
        "Session",
        footer=True,
        palette=False,
        typing=None,
    ),
)
_NEVER_TYPED = ("f5", "f9", "f10", "ctrl+q", "ctrl+c")
"""Keys that do the same while something is typed; a line that is begun takes `ctrl+c` for itself."""
BY_ID = {action.id: action for action in ACTIONS}


def main_keys(actions: Iterable[Action]) -> dict[str, str]:
    """The key of each action that sentences name, as people write it, by its id."""
    return {action.id: key_name(action.keys[0]) for action in actions}


def key_of(action: str, snapshot: Snapshot) -> str:
    """The key of the action of that id, for a sentence about this snapshot."""
    return snapshot.keys.get(action) or key_name(BY_ID[action].keys[0])


def shown_keys(action: Action) -> str:
    """`p, ctrl+c`."""
    return ", ".join(key_name(key) for key in action.keys)


def applicable(key: str, here: Situation) -> Action | None:
    """What a key does here, or None."""
    if here.typing and key in _NEVER_TYPED:
        here = replace(here, typing=False)
    return next((action for action in here.actions if key in action.keys and action.applies(here)), None)
