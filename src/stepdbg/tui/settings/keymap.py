"""The user's own keys: names as people write them, and what two actions may not share.

Whether two actions can apply at once is not written down but tried, on situations of every kind.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import unicodedata
from collections.abc import Iterator, Mapping

from msgspec.structs import replace
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from stepdbg.protocol.messages import Boundary, Edit, RankState, SessionState, State, Stop
from stepdbg.tui.actions.action import Action, ActionContext
from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.actions.registry import ACTIONS
from stepdbg.tui.panel_base.registry import NAMES
from stepdbg.tui.state.snapshot import Snapshot

_SYNONYMS = {
    "esc": "escape", "return": "enter", "del": "delete", "ins": "insert", "pgup": "pageup", "pgdn": "pagedown",
    "pgdown": "pagedown", "spacebar": "space",
}  # fmt: skip
_MODIFIERS = ("ctrl", "alt", "shift")
_NAMED = {key.value for key in Keys if "+" not in key.value and not key.value.startswith("<")}


def key_named(words: str) -> str | None:
    """Textual's name of a key as people write it (`?`, `F5`, `page up`, `ctrl+x`); None where there is no such key."""
    *modifiers, base = words.split("+") if len(words) > 1 else [words]
    modifiers = [modifier.strip().lower() for modifier in modifiers]
    if any(modifier not in _MODIFIERS for modifier in modifiers) or len(set(modifiers)) < len(modifiers):
        return None
    name = _base(base)
    if name is None:
        return None
    if "shift" in modifiers and len(name) == 1:
        name, modifiers = name.upper(), [modifier for modifier in modifiers if modifier != "shift"]
    return "+".join([*(modifier for modifier in _MODIFIERS if modifier in modifiers), name])


def _base(words: str) -> str | None:
    if words == " ":
        return "space"
    if len(words) == 1:
        if words.isalnum():
            return words
        if not words.isprintable():
            return None
        name = unicodedata.name(words, "").lower().replace("-", "_").replace(" ", "_")
        return KEY_NAME_REPLACEMENTS.get(name, name) or None
    name = words.strip().lower().replace(" ", "").replace("-", "")
    name = _SYNONYMS.get(name, name)
    if name in _NAMED:
        return name
    name = words.strip().lower()
    if name in KEY_NAME_REPLACEMENTS.values():
        return name
    for spelled in (name.replace("_", " "), name.replace("_", "-").replace("-sign", " sign")):
        with contextlib.suppress(KeyError):
            unicodedata.lookup(spelled)
            return name
    return None


def remapped(
    actions: tuple[Action, ...], wanted: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Action, ...], list[str]]:
    """The registry with the user's keys, and what is wrong with those that are left out, a line each.

    Args:
        actions: The registry.
        wanted: By the id of an action its keys, as the user writes them.
    """
    known = {action.id: action for action in actions}
    problems = []
    taken: dict[str, tuple[str, ...]] = {}
    for name, words in wanted.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the actions are {', '.join(known)}"
            problems.append(f"there is no action {name!r}; {hint}")
            continue
        keys = [(word, key_named(word)) for word in words]
        unknown = next((word for word, key in keys if key is None), None)
        if unknown is not None:
            near = difflib.get_close_matches(unknown.lower(), sorted(_NAMED), 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else "write for example 'n', '?', 'space', 'f8', 'ctrl+n'"
            problems.append(f"{name}: there is no key {unknown!r}; {hint}")
        elif not keys:
            problems.append(f"{name} has no key; give it at least one, or leave the line out")
        else:
            taken[name] = tuple(key for _, key in keys if key is not None)
    while True:
        mapped = tuple(replace(action, keys=taken[action.id]) if action.id in taken else action for action in actions)
        clash = _clash(mapped, taken)
        if clash is None:
            return mapped, problems
        mine, other, key = clash
        problems.append(
            f"{mine}: the key {key_name(key)!r} is that of {other} too, where both apply; "
            f"choose another, or give {other} another one"
        )
        del taken[mine]


def _clash(actions: tuple[Action, ...], taken: Mapping[str, object]) -> tuple[str, str, str] | None:
    """A remapped action, another, and a key that both would have in the same situation."""
    by_id = {action.id: action for action in actions}
    for mine in reversed(list(taken)):
        for other in actions:
            shared = set(by_id[mine].keys) & set(other.keys)
            if other.id != mine and shared and coincide(by_id[mine], other):
                return mine, other.id, min(shared)
    return None


def coincide(one: Action, other: Action) -> bool:
    """Whether there is a situation in which both apply."""
    return any(one.applies(here) and other.applies(here) for here in _situations())


def _situations() -> Iterator[ActionContext]:
    """Situations of every kind, as far as what applies depends on them."""
    edit = Edit(1, "model.weight", None, "0", "1", "0", 1, 1)
    stop = Stop(Boundary(1, 1, "forward", "loss"), "step")
    offers = frozenset(action.id for action in ACTIONS)  # by panel in truth; too many keep a key from being shared
    states: tuple[State, ...] = ("starting", "running", "paused", "exited", "lost")
    for state in states:
        ranks = tuple(RankState(rank, 1, state, stop) for rank in (0, 1)) if state != "starting" else ()
        snapshot = Snapshot(SessionState("s", "t", "t.py", state, ranks=ranks, edits=(edit,)))
        for panel, editable, selected, typing in itertools.product(NAMES, (False, True), (False, True), (False, True)):
            yield ActionContext(snapshot, panel, editable, selected, offers, columns=True, hinted=True, typing=typing)
