"""An action, and what it is judged by whether it applies here and now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from stepdbg.tui.actions.key_names import key_name
from stepdbg.tui.state.snapshot import Snapshot

if TYPE_CHECKING:
    from stepdbg.tui.actions.handlers.handlers import Handlers

_NEVER_TYPED = ("f5", "f9", "f10", "ctrl+q", "ctrl+c")
"""Keys that do the same while something is typed; a line that is begun takes `ctrl+c` for itself."""


class ActionContext(Struct, frozen=True):
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
    actions: tuple[Action, ...] = ()
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


Applies = Callable[[ActionContext], bool]
Do = Callable[["Handlers"], Awaitable[None] | None]
"""What an action does. The registry is loaded before the first frame and the handlers after it: so a row names what it
calls in a lambda.
"""


def _always(_: ActionContext) -> bool:
    return True


class Action(Struct, frozen=True):
    """One thing that a user can do."""

    id: str
    keys: tuple[str, ...]
    """The keys, as Textual names them; the first is the one that is shown."""
    label: str
    """A word or two, for the footer."""
    help: str
    """A sentence, for help and palette."""
    group: str
    """The heading that the help lists it under."""
    do: Do
    where: Applies = field(default=_always)
    footer: bool = False
    """Whether the footer shows it where it applies."""
    palette: bool = True
    typing: bool | None = False
    """Whether the action is for while something is typed: only then (True), never then (False), then as well (None)."""

    def applies(self, here: ActionContext) -> bool:
        """Whether the action does something here."""
        return self.typing in (None, here.typing) and self.where(here)


def main_keys(actions: Iterable[Action]) -> dict[str, str]:
    """The key of each action that sentences name, as people write it, by its id."""
    return {action.id: key_name(action.keys[0]) for action in actions}


def shown_keys(action: Action) -> str:
    """`p, ctrl+c`."""
    return ", ".join(key_name(key) for key in action.keys)


def applicable(key: str, here: ActionContext) -> Action | None:
    """What a key does here, or None."""
    if here.typing and key in _NEVER_TYPED:
        here = replace(here, typing=False)
    return next((action for action in here.actions if key in action.keys and action.applies(here)), None)
