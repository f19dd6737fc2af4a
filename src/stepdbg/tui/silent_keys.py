"""Why a key does nothing here, in one quiet line: a key that is simply silent reads as a program that hangs."""

from __future__ import annotations

from stepdbg.tui.actions import Action, Situation, key_name

QUIET = ("escape", "up", "down", "left", "right", "page_up", "page_down", "first", "last", "back")
"""Pressed to no purpose without a question: ways out, and moves."""
_STEERING = ("next", "finish", "continue")
_NOTHING = {
    "undo": "there is no edit to undo",
    "edit": "there is nothing to edit under the cursor",
    "edit_all": "there is nothing to edit under the cursor",
    "pause": "nothing runs that could be paused",
    "owners": "there is no tensor under the cursor",
    "open": "there is nothing to open under the cursor",
    "earlier": "there is no earlier stop to look at",
    "later": "this is now, no stop is later",
    "rank": "there is only one rank",
    "input": "a line is typed to the script from the Output panel",
    "zoom": "the terminal has room for one panel only",
    "copy": "there is nothing to copy here",
    "part": "it is for the Tensor panel",
    "map": "it is for the Tensor panel, with a tensor to draw",
}
"""By the id of the action."""


def why_nothing(key: str, here: Situation) -> str:
    """What to say of a key that does nothing here; empty where it needs no word.

    Args:
        key: As Textual names it.
        here: The situation, in which no action applies to the key.
    """
    if here.typing:
        return ""
    action = next((action for action in here.actions if key in action.keys), None)
    if action is None:
        return "" if key in QUIET else f"{key_name(key)} does nothing here; {_help(here)} lists the keys"
    if action.id in QUIET:
        return ""
    return f"{key_name(key)}: {_reason(action, here)}"


def _reason(action: Action, here: Situation) -> str:
    state = here.snapshot.state
    if here.snapshot.past_at is not None and action.id in ("edit", "edit_all", "undo", "save"):
        return "this is the past; esc leads back to now"
    if here.snapshot.past_at is not None and action.id == "owners":
        return "who owned it was not recorded at this stop"
    if action.id in _STEERING:
        if state == "starting":
            return "training has not come to its first phase yet, and stops before it"
        if state == "running":
            return "training runs already"
        return "nothing trains any more" if here.snapshot.over else "the script has come to its end"
    if here.snapshot.session.readonly and action.id in ("edit", "edit_all", "undo", "console"):
        return "this session is read-only"
    return _NOTHING.get(action.id, f"{action.label} does nothing here")


def _help(here: Situation) -> str:
    return next((key_name(action.keys[0]) for action in here.actions if action.id == "help"), "?")
