"""The one registry of the panels: a row for each says what it is called, how it is gone to, where it stands, what the
help says of it and which class draws it. Tabs, titles, keys, palette, help and layouts are made from these rows.

A row names its class as text, since a panel's module is loaded when the panel is first shown.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A slot of a layout with columns (`tui/layout/arrangement.py`)."""

    column: int
    """The column, from the left, beginning at 0."""
    slot: int
    """The slot of that column, from above, beginning at 0."""


class PanelSpec(NamedTuple):
    """What the program knows of a panel before its module is loaded."""

    name: str
    """The panel's name in the program and in the file of the layout."""
    title: str
    """The panel's name on the screen."""
    digit: str
    """The key that goes to the panel: a digit, or another character where no digit is left. Empty for a panel that only
    stands in for another.
    """
    widget: str
    """`module:Class`, below `stepdbg.tui.panels`."""
    wide: Place
    """The slot in the layout of three columns; panels that share one are named in the order of these rows."""
    medium: Place
    """The slot in the layout of two columns. (The title of the slot (1, 1) has no room for a further name.)"""
    help: str
    """What the help says of the panel; `{next}` stands for the key of the action `next`."""
    short_title: str = ""
    """The title where the tabs of all panels are to fit into 80 columns, which keeps the first five letters of `title`;
    empty where that is short enough."""
    sideways: bool = False
    """Whether the keys left and right do something in the panel."""
    empty_at_first: bool = False
    """Whether the panel has nothing to show before the script has run."""
    stands_in_for: str = ""
    """The panel whose place, key and title this one takes for a while; empty for all others."""

    @property
    def place(self) -> str:
        """The name of the panel in whose place this one stands: its own, or that of the one it stands in for."""
        return self.stands_in_for or self.name


SPECS = (
    PanelSpec(
        "model", "Model", "1", "model.panel:ModelPanel", wide=Place(1, 0), medium=Place(0, 0), sideways=True,
        help="Every parameter and buffer. The sign at the left is what the phase just done did to its value, the one "
        "before the gradient what it did to that, the one before its optimizer what it did to the state kept there. "
        "Figures are 2-norms, of a folded module those of all its parameters together; a tensor of one number shows "
        "the number itself, after a = where there are others too. "
        "Δ/‖w‖ is how far the last step moved it: the norm of the change over the norm of the value. "
        "{find} filters as you type: part of a name, class:Linear, dtype:bf16, grad:none, changed, frozen, nan; all "
        "words must hold. {sort} sorts, and so does a click on a heading.",
    ),
    PanelSpec(
        "tensor", "Tensor", "2", "tensor.panel:TensorPanel", wide=Place(1, 1), medium=Place(1, 0), sideways=True,
        help="One tensor, its gradient and its optimizer state: figures, heat maps side by side ({map}), the numbers "
        "of the part that is marked; a batch of images as pictures with their labels. The scale under a map says what "
        "its colours stand for; ! is NaN, ^ and v are infinities. {graph} shows the graph behind it.",
    ),
    PanelSpec(
        "graph", "Tensor", "", "graph.panel:GraphPanel", wide=Place(1, 1), medium=Place(1, 0), stands_in_for="tensor",
        help="The graph behind a tensor: the nodes that backward walks from the loss to the parameters, numbered in "
        "its order, with what each has made (=) and saved. ! marks a saved tensor that was written since: backward "
        "will refuse it. A line goes straight down; leaves and branches hang from it, and a node that several ways "
        "lead to is shown once. Below the tree: trainable parameters that it never reaches, and graphs of earlier "
        "updates that are still alive, as far as a variable leads to them, or to a loss or an output that stepdbg has "
        "seen. What is saved behind a hook (checkpoint) is not looked at: that would run it.",
    ),
    PanelSpec(
        "effects", "Effects", "3", "effects.panel:EffectsPanel", wide=Place(2, 0), medium=Place(1, 1), sideways=True,
        help="What each phase of this update did to each kind of object; {names} lists the names behind a count, and "
        "from a name leads on to the tensor. {owners} shows who owns a tensor: the model and the optimizer hold the "
        "same tensor, and its gradient hangs on it.",
    ),
    PanelSpec(
        "optimizer", "Optimizer", "4", "optimizer.panel:OptimizerPanel", wide=Place(2, 1), medium=Place(1, 1),
        short_title="Optim", sideways=True,
        help="Groups with their hyperparameters, and what the optimizer keeps of each parameter (norms); {edit} edits "
        "the figure under the cursor. {foresee} shows what the next step would do to a parameter: the parts that add "
        "up to its move, how large each is along it (share), and whether it points there (1), across (0) or against "
        "(-1). After the step it is said whether that is what happened.",
    ),
    PanelSpec(
        "loss", "Loss", "5", "text.panel:LossPanel", wide=Place(2, 2), medium=Place(1, 1),
        help="Each loss over the updates, and beside it what is watched, each value from its own lowest to its own "
        "highest ({watch} watches the loss, or anything else); {log_axis} makes the axis logarithmic. ! is NaN, ^ and "
        "v are infinities. {save} saves it all as CSV. {history} on a parameter shows its own history: the norm of its "
        "gradient, and how far each update moved it (Δ/‖w‖), of the updates that were sampled.",
    ),
    PanelSpec(
        "source", "Source", "6", "source.panel:SourcePanel", wide=Place(0, 0), medium=Place(0, 0),
        help="Your code: the margin names the phases at the lines where they were seen to begin, and marks "
        "breakpoints. Below it, the frames ({frame_up}, {frame_down}) and the variables of the one that is looked at "
        "({variables} goes there).",
    ),
    PanelSpec(
        "output", "Output", "7", "text.panel:OutputPanel", wide=Place(0, 1), medium=Place(0, 1), empty_at_first=True,
        help="What the script prints.",
    ),
    PanelSpec(
        "breaks", "Breaks", "8", "breakpoints.panel:BreaksPanel", wide=Place(2, 2), medium=Place(0, 0),
        help="Breakpoints, what is watched, and the edits made; {switch} switches the one under the cursor on or off, "
        "{remove} removes it. A watch is evaluated at each stop; its history has a value for each update, taken after "
        "its last step. In a free run only every so many updates are sampled, so that this costs less than a hundredth "
        "of the time.",
    ),
    PanelSpec(
        "console", "Console", "9", "console.panel:ConsolePanel", wide=Place(0, 1), medium=Place(0, 1),
        empty_at_first=True,
        help="Python in the frame that is looked at. model, optimizer, loss and batch are at hand, unless the frame "
        "has variables of these names. An assignment to a variable of the frame arrives in training.",
    ),
    PanelSpec(
        "findings", "Findings", "K", "findings.panel:FindingsPanel", wide=Place(0, 1), medium=Place(0, 1),
        help="What is wrong with the training, as far as the rules have seen it: they look at each phase while you "
        "step, and not in a free run; `stepdbg check` looks at every update. {finding} tells the evidence, the cause "
        "and the fix, and shows the line in Source; {stop_on_finding} has training stop where a rule finds something "
        "new: every phase is looked at then, which is slower. ! marks the phase on the rail, the rows in Model and the "
        "line in Source. `# stepdbg: ignore[RULE]` at the end of a line silences a rule there.",
    ),
)  # fmt: skip
"""All panels, in the order in which tabs and titles name them and tab goes through them."""

OWN_PLACE = tuple(spec for spec in SPECS if not spec.stands_in_for)
"""The panels that have a place of their own on the screen."""
BY_NAME = {spec.name: spec for spec in SPECS}
"""Each panel's row by the panel's name."""
PANELS = {spec.digit: spec.name for spec in OWN_PLACE}
"""The panels' names by the key that goes to them."""
DIGITS = {spec.name: spec.digit for spec in OWN_PLACE}
"""The key that goes to a panel, by the panel's name."""
NAMES = {**{spec.name: spec.title for spec in OWN_PLACE}, "rail": "Rail"}
"""What titles, tabs and sentences call the panels, and the rail."""
SHORT_NAMES = {spec.name: spec.short_title for spec in OWN_PLACE if spec.short_title}
"""The titles of those panels that are called by a shorter one where there is little room."""
