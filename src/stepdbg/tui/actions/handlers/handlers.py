"""All that the rows of the registry call: the panels, and a handler for each subject that is no panel's alone."""

from __future__ import annotations

from stepdbg.tui.actions.handlers.editing import Editing
from stepdbg.tui.actions.handlers.moving import Moving
from stepdbg.tui.actions.handlers.opening import Opening
from stepdbg.tui.actions.handlers.session import SessionActions
from stepdbg.tui.actions.handlers.steering import Steering
from stepdbg.tui.drawing.lines import Target
from stepdbg.tui.files.copy_and_save import CopyAndSave
from stepdbg.tui.host import Host, Layout
from stepdbg.tui.panels.breakpoints.actions import BreakpointActions
from stepdbg.tui.panels.breakpoints.view import SwitchTarget
from stepdbg.tui.panels.console.actions import ConsoleActions
from stepdbg.tui.panels.effects.panel import EffectsPanel
from stepdbg.tui.panels.findings.actions import FindingActions
from stepdbg.tui.panels.graph.panel import GraphPanel
from stepdbg.tui.panels.model.panel import ModelPanel
from stepdbg.tui.panels.optimizer.panel import OptimizerPanel
from stepdbg.tui.panels.source.actions import FrameActions
from stepdbg.tui.panels.source.panel import SourcePanel
from stepdbg.tui.panels.source.variables import FrameTarget
from stepdbg.tui.panels.tensor.actions import ElementActions
from stepdbg.tui.panels.tensor.panel import TensorPanel
from stepdbg.tui.panels.text.panel import LossPanel
from stepdbg.tui.state.targets import ObjectTarget, PanelTarget, PhaseTarget, RankTarget, StopTarget


class Handlers:
    """What an action acts on. The caller has seen that it applies."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.steering = Steering(host)
        self.opening = Opening(host)
        self.editing = Editing(host)
        self.session = SessionActions(host)
        self.files = CopyAndSave(host)
        self.breakpoints = BreakpointActions(host)
        self.findings = FindingActions(host)
        self.frames = FrameActions(host)
        self.elements = ElementActions(host)
        self.console = ConsoleActions(host)
        self.moving = Moving(host, self.console)

    def clicked(self, target: Target) -> None:
        """Something was clicked that stands for something beyond its panel."""
        match target:
            case PanelTarget(panel=name):
                self.layout.go_to(name)
            case ObjectTarget(object=name):
                self.opening.open(name)
            case PhaseTarget(phase=name):
                self.layout.go_to_rail()
                self.layout.top.select_named(name)
            case RankTarget(rank=rank):
                self.host.hub.look_at_rank(rank)
            case StopTarget(boundary=boundary):
                self.host.hub.look_at_stop(boundary)
            case FrameTarget(place=place):
                self.frames.look_at(place)
            case SwitchTarget():
                self.host.call_later(self.breakpoints.switch)  # the cursor is on it by then

    @property
    def layout(self) -> Layout:
        """The panels, where they stand, and which of them keys go to."""
        return self.host.panel_layout

    @property
    def model(self) -> ModelPanel:
        """The Model panel."""
        return self.layout.panel(ModelPanel)

    @property
    def tensor(self) -> TensorPanel:
        """The Tensor panel."""
        return self.layout.panel(TensorPanel)

    @property
    def graph(self) -> GraphPanel:
        """The graph, which takes the place of the Tensor panel."""
        return self.layout.panel(GraphPanel)

    @property
    def effects(self) -> EffectsPanel:
        """The Effects panel."""
        return self.layout.panel(EffectsPanel)

    @property
    def optimizer(self) -> OptimizerPanel:
        """The Optimizer panel."""
        return self.layout.panel(OptimizerPanel)

    @property
    def loss(self) -> LossPanel:
        """The Loss panel."""
        return self.layout.panel(LossPanel)

    @property
    def source(self) -> SourcePanel:
        """The Source panel."""
        return self.layout.panel(SourcePanel)

    @property
    def folding(self) -> ModelPanel | OptimizerPanel:
        """The panel in focus, of the two whose rows fold."""
        return self.optimizer if self.layout.focused_name() == "optimizer" else self.model
