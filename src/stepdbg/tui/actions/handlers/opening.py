"""What one panel opens in another, and the ways back."""

from __future__ import annotations

from stepdbg.tui.host import Host
from stepdbg.tui.panels.effects.panel import EffectsPanel
from stepdbg.tui.panels.graph.panel import GraphPanel
from stepdbg.tui.panels.model.panel import ModelPanel
from stepdbg.tui.panels.optimizer.panel import OptimizerPanel
from stepdbg.tui.panels.tensor.panel import TensorPanel
from stepdbg.tui.panels.text.panel import LossPanel


class Opening:
    """Shows what is under the cursor of one panel in another."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def open(self, name: str) -> None:
        """Show an object in the Tensor panel."""
        self._show_numbers()
        self._host.panel_layout.panel(TensorPanel).look_at(name)
        self._host.panel_layout.go_to("tensor", "tensor")

    def _show_numbers(self) -> None:
        """The Tensor panel instead of a graph."""
        layout = self._host.panel_layout
        layout.put(layout.panel(TensorPanel))

    def open_chosen(self) -> None:
        """Show the object under the cursor in the Tensor panel."""
        panel = self._host.panel_layout.in_focus()
        if panel is not None and (name := panel.chosen()):
            self.open(name)

    def open_result(self) -> None:
        """Open what the unit of an inner stop is about."""
        stop = self._host.snapshot.seen.stop
        if stop is not None and stop.inner is not None and stop.inner.tensors:
            self.open(stop.inner.tensors[0].object)

    def show_owners(self) -> None:
        """Show who owns what is under the cursor."""
        layout = self._host.panel_layout
        panel = layout.in_focus()
        if panel is not None and (name := panel.tensor_at_hand()):
            layout.panel(EffectsPanel).identify(name, panel.panel)
            layout.go_to("effects", "owners")

    def show_graph(self) -> None:
        """Show the graph behind what is under the cursor; where nothing is, the loss's."""
        layout = self._host.panel_layout
        panel, graph = layout.in_focus(), layout.panel(GraphPanel)
        name = panel.tensor_at_hand() if panel is not None else ""
        graph.show_graph(name, anew=layout.at("tensor") is not graph)
        layout.put(graph)
        layout.go_to("tensor", "graph")

    def foresee(self) -> None:
        """Show what step would do to what is under the cursor; there again: back to the list."""
        layout = self._host.panel_layout
        panel, optimizer = layout.in_focus(), layout.panel(OptimizerPanel)
        if panel is optimizer and optimizer.view == "foresight":
            self.back()
        elif panel is not None and (name := panel.tensor_at_hand()):
            optimizer.foresee(name)
            layout.go_to("optimizer", "foresight")

    def show_history(self) -> None:
        """Show what has become of the parameter under the cursor; there again: back to the losses."""
        layout = self._host.panel_layout
        panel, loss = layout.in_focus(), layout.panel(LossPanel)
        if panel is loss and loss.object:
            self.back()
        elif panel is not None and (name := panel.tensor_at_hand()):
            loss.show_history(name)
            layout.go_to("loss", "history")

    def find(self) -> None:
        """Type a filter in the Model panel."""
        layout = self._host.panel_layout
        layout.go_to("model", "find")
        layout.panel(ModelPanel).find()

    def back(self) -> None:
        """One thing at a time: out of a list or graph and to where it was opened from, then out of the past."""
        layout, past = self._host.panel_layout, self._host.snapshot.past_at is not None
        effects, graph, optimizer = layout.panel(EffectsPanel), layout.panel(GraphPanel), layout.panel(OptimizerPanel)
        panel, loss = layout.in_focus(), layout.panel(LossPanel)
        opened = layout.trail.opened(layout.focused_name(), in_past=past)
        if panel is optimizer and optimizer.view == "foresight":
            optimizer.show_list()
            if opened is not None and opened.view == "foresight":
                layout.go_back()
        elif panel is loss and loss.object:
            loss.show_losses()
            if opened is not None and opened.view == "history":
                layout.go_back()
        elif panel is effects and (effects.showing() != "matrix" or effects.came_from):
            if origin := effects.go_back():
                layout.go_back(origin)
        elif panel is graph:
            self._show_numbers()
            if opened is not None and opened.view == "graph":
                layout.go_back()
        elif opened is not None or not past:
            layout.go_back()
        else:
            self._host.hub.look_at_stop(None)
