"""Why a key does nothing here, in one quiet line: a key that is simply silent reads as a program that hangs."""

from __future__ import annotations

import re

from msgspec.structs import replace

from stepdbg.tui.actions.action import Action, ActionContext
from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.panel_base.registry import NAMES

QUIET = ("escape", "up", "down", "left", "right", "page_up", "page_down", "first", "last", "back")
"""Pressed to no purpose without a question: ways out, and moves."""
_STEERING = ("next", "finish", "continue")
_FROM_A_STOP = ("into", "operator", "run_to")
"""What begins where training stands, and is not queued while it runs."""
_NOTHING = {
    "undo": "there is no edit to undo",
    "edit": "there is nothing to edit under the cursor",
    "edit_all": "there is nothing to edit under the cursor",
    "pause": "nothing runs that could be paused",
    "owners": "there is no tensor under the cursor",
    "history": "there is no parameter under the cursor",
    "open": "there is nothing to open under the cursor",
    "earlier": "there is no earlier stop to look at",
    "later": "this is now, no stop is later",
    "rank": "there is only one rank",
    "zoom": "the terminal has room for one panel only",
    "copy": "there is nothing to copy here",
    "copy_more": "there is nothing to copy here",
    "frame_up": "there is no other frame to look at",
    "frame_down": "there is no other frame to look at",
    "no_hints": "there are no hints",
    "drop_goal": "training is on its way to no place that it was told to run to",
    "finding": "nothing has been found that could be opened",
    "graph": "a graph is shown of the present only, where training waits",
}
"""By the id of the action."""
_TENSOR = ("map", "pool", "slice_next", "slice_previous", "side", "jump", "mark", "find_next", "find_previous")
HOME = {"fold_all": "model", "unfold_all": "model", **dict.fromkeys(_TENSOR, "tensor")}
"""The panel of what is there only at times, by the id of the action."""
_AT_HOME = {
    "side": "no phase is known to have changed what is shown here",
    "slice_next": "there is one slice only",
    "slice_previous": "there is one slice only",
}
"""Why that is not there now, by the id of the action."""


def why_nothing(key: str, here: ActionContext) -> str:
    """What to say of a key that does nothing here; empty where it needs no word.

    Args:
        key: As Textual names it.
        here: The situation, in which no action applies to the key.
    """
    if here.typing:
        return ""
    bound = [action for action in here.actions if key in action.keys]
    action = next((one for one in bound if one.id in _NOTHING), bound[0] if bound else None)
    if action is None:
        return "" if key in QUIET else f"{key_name(key)} does nothing here; {_key('help', here)} lists the keys"
    if action.id in QUIET:
        return ""
    return f"{key_name(key)}: {_reason(action, here)}"


def _reason(action: Action, here: ActionContext) -> str:
    state = here.snapshot.state
    if here.snapshot.past_at is not None and action.id in ("edit", "edit_all", "undo", "save"):
        return f"this is the past; {_key('back', here)} leads back to now"
    if here.snapshot.past_at is not None and action.id == "owners":
        return "who owned it was not recorded at this stop"
    if here.snapshot.past_at is not None and action.id in (*_FROM_A_STOP, "drop_goal"):
        return f"this is the past; {_key('back', here)} leads back to now"
    if action.id in _STEERING or action.id in _FROM_A_STOP:
        if state == "lost":  # training may go on
            return "nothing can be steered from here any more"
        if state == "starting":
            return "training has not come to its first phase yet, and stops before it"
        if state == "running" and here.snapshot.ending:
            return "nothing trains any more, and the script runs to its end already"
        if state == "running" and action.id in _FROM_A_STOP:
            return f"training runs; {_key('pause', here)} pauses it"
        if state == "running":
            return "training runs already"
        stop = here.snapshot.stop
        if here.snapshot.paused and stop is not None and stop.failure is not None:
            return f"an exception is on its way out; {_key('continue', here)} lets it go on"
        if here.snapshot.paused and stop is not None and stop.boundary.next is not None:
            return f"{stop.boundary.next} has nothing inside that could be gone through"
        return "nothing trains any more" if here.snapshot.over else "the script has come to its end"
    if here.snapshot.session.readonly and action.id in ("edit", "edit_all", "undo", "console"):
        return "this session is read-only"
    if action.id == "rank" and not here.snapshot.session.ranks:
        return "no rank has come to its first phase yet"
    if action.id == "pause" and not here.snapshot.over:
        return f"{_NOTHING['pause']}; {_key('quit', here)} leaves"
    return _NOTHING.get(action.id) or _belongs(action, here)


def _belongs(action: Action, here: ActionContext) -> str:
    """In which panel, and what the action does: that may be long, and is cut where there is no room."""
    does = re.split(r"[:;(]", action.help)[0].strip()
    everywhere = frozenset(one.id for one in here.actions)
    home = HOME.get(action.id)
    if home == here.panel:
        return _AT_HOME.get(action.id, f"there is nothing here to do it to ({does})")
    for panel in (home,) if home else NAMES:
        there = replace(here, panel=panel, offers=everywhere - {"find_clear"}, selected=True, editable=True)
        if panel != here.panel and action.applies(there):
            keys = {one.id: one.keys[0] for one in here.actions}
            key = key_name(keys["rail" if panel == "rail" else f"panel_{panel}"])
            return f"go to {'the rail' if panel == 'rail' else 'panel'} {key} ({does})"
    return f"there is nothing here to do it to ({does})"


def _key(name: str, here: ActionContext) -> str:
    """The key of the action of that id."""
    return next((key_name(action.keys[0]) for action in here.actions if action.id == name), name)
