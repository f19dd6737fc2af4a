"""What is done in the Tensor panel alone: to go to an element, to cut a slice, to mark and find elements."""

from __future__ import annotations

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import Find, Found, Refusal
from stepdbg.protocol.slices import element, read
from stepdbg.tui.host import Host
from stepdbg.tui.panels.tensor.conditions import parsed
from stepdbg.tui.panels.tensor.panel import TensorPanel


class ElementActions:
    """Acts on the elements of the tensor that is shown."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._searches = 0
        """Counts them: the newest one wins."""

    def find(self, *, backwards: bool) -> None:
        """Go to the next element that is marked, or to the one before, while keys go on."""
        self._host.run_worker(self._find(backwards=backwards))

    def _panel(self) -> TensorPanel:
        return self._host.panel_layout.panel(TensorPanel)

    def jump(self) -> None:
        """Ask where to go, or what slice to show."""
        from stepdbg.tui.dialogs.line import LineDialog

        panel = self._panel()
        shape = panel.whole_shape()
        dialog = LineDialog(
            f"Go to an element, or show a slice of {list(shape)}",
            "[10, 0] goes there, [0, :8, ::2] shows that slice",
            "enter does it, an empty line shows the whole, escape cancels",
            lambda text: read(text, shape),
            self._host.glyphs,
            panel.where,
        )

        def go(text: str | None) -> None:
            if text is None:
                return
            place = element(text, shape)
            if place is None:
                panel.show_slice(text)
            else:
                panel.go_to_element(place)

        self._host.push_screen(dialog, go)

    def mark_elements(self) -> None:
        """Ask what to mark."""
        from stepdbg.tui.dialogs.line import LineDialog

        panel = self._panel()
        dialog = LineDialog(
            "Mark elements",
            "nan, > 0.5, = 0, -1..1, outside -1..1",
            "enter marks them and goes to the next one, an empty line marks none, escape cancels",
            lambda text: parsed(text) if text.strip() else None,
            self._host.glyphs,
            panel.marked,
        )

        def mark(text: str | None) -> None:
            if text is not None:
                panel.mark(text)
                if text:
                    self._host.run_worker(self._find(backwards=False, here=True))

        self._host.push_screen(dialog, mark)

    async def _find(self, *, backwards: bool, here: bool = False) -> None:
        """Go to the next element that is marked, or else to the next that is not finite; once around at most."""
        panel = self._panel()
        self._searches += 1
        search, total = self._searches, panel.elements()
        start = panel.element_number() + (0 if here else -1 if backwards else 1)
        wrapped = False
        while search == self._searches:
            if not 0 <= start < total:
                if wrapped or not total:
                    break
                wrapped, start = True, total - 1 if backwards else 0
            query = Find(panel.selected_object(), panel.condition(), start, backwards, panel.side_shown(), panel.where)
            try:
                found = await self._host.hub.answer(query)
            except StepdbgError:
                return
            if search != self._searches:
                return
            if isinstance(found, Refusal):
                self._host.notify(found.problem, severity="warning", markup=False)
                return
            if isinstance(found, Found) and found.number is not None:
                panel.go_to_number(found.number)
                if wrapped:
                    words = "from the end again" if backwards else "from the start again"
                    self._host.notify(words, markup=False)
                return
            start = found.further if isinstance(found, Found) and found.further is not None else -1
        self._host.notify(f"no element is {panel.marked or 'nan or infinite'}", markup=False)
