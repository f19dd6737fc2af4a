"""The panels that have been needed so far: each is loaded, made and mounted when it is first shown or asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, TypeVar

from textual.widget import Widget

from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.host import Host
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.registry import BY_NAME, OWN_PLACE, SPECS, PanelSpec
from stepdbg.tui.state.selection import Editable

P = TypeVar("P", bound=Panel)
_PANELS = "stepdbg.tui.panels."
"""The package below which the rows of the registry name their classes."""


class PaintingHost(Host, Protocol):
    """The app, as far as panels are painted in its colours."""

    def palette(self) -> Palette:
        """The colours of the theme in force."""
        ...


def panel_class(spec: PanelSpec) -> type[Panel]:
    """The class of a panel, whose module is loaded if it has not been yet."""
    module, _, name = spec.widget.partition(":")
    found: type[Panel] = getattr(import_module(_PANELS + module), name)
    return found


class MountedPanels:
    """The panels made so far, and which of them stands in each place."""

    def __init__(self, app: PaintingHost, element_at_hand: Callable[[], Editable | None]) -> None:
        """None is made yet.

        Args:
            app: The app that they are mounted in.
            element_at_hand: Gives the element under the cursor of the Tensor panel, for all other panels.
        """
        self._app = app
        self._element_at_hand = element_at_hand
        self.ready = False
        """Whether the first frame is on the screen, so that panels may be made."""
        self._body: Widget | None = None
        """The widget that panels are mounted in; None until it is known."""
        self._made: dict[str, Panel] = {}
        """By name every panel that has been made."""
        self.in_place: dict[str, Panel] = {}
        """By place the panel that stands there; places that nobody has looked at yet are left out."""

    @property
    def all(self) -> tuple[Panel, ...]:
        """Every panel that has been made, in the order of the registry, those that another stands in for as well."""
        return tuple(self._made[spec.name] for spec in SPECS if spec.name in self._made)

    def places(self) -> list[str]:
        """The places in which a panel can stand; none until panels may be made."""
        return [spec.name for spec in OWN_PLACE] if self.ready else []

    async def mount_in(self, body: Widget) -> None:
        """Mount the panels made so far in that widget, and each that is made from now on as soon as it is made."""
        self._body = body
        await body.mount(*self.all)

    def at(self, place: str) -> Panel:
        """The panel that stands in a place."""
        if place not in self.in_place:
            self.in_place[place] = self._panel(BY_NAME[place])
        return self.in_place[place]

    def of_class(self, kind: type[P]) -> P:
        """The panel of that class, wherever it stands, if anywhere.

        Raises:
            LookupError: No row of the registry names that class.
        """
        widget = f"{kind.__module__.removeprefix(_PANELS)}:{kind.__name__}"
        spec = next((spec for spec in SPECS if spec.widget == widget), None)
        panel = self._panel(spec) if spec is not None else None
        if not isinstance(panel, kind):
            raise LookupError(f"no panel of the registry is drawn by {widget}")
        return panel

    def load_next(self) -> bool:
        """Load the module of one panel that has not been shown yet, so that the key which asks for it need not wait.

        Returns:
            Whether there was one to load.
        """
        spec = next((spec for spec in SPECS if _PANELS + spec.widget.partition(":")[0] not in sys.modules), None)
        if spec is not None:
            panel_class(spec)
        return spec is not None

    def _panel(self, spec: PanelSpec) -> Panel:
        if (panel := self._made.get(spec.name)) is None:
            app = self._app
            panel = self._made[spec.name] = panel_class(spec)(app.palette(), app.glyphs)
            panel.set_snapshot(app.seen)
            panel.element_at_hand = self._element_at_hand
            panel.styles.position = "absolute"
            panel.add_class("hidden")  # until it has its place
            if self._body is not None and self._body.is_attached:
                self._body.mount(panel)
        return panel
