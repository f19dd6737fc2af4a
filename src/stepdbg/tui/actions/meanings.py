"""What people look for by its meaning, and the actions that it is found by: for the palette and for the help."""

from __future__ import annotations

from stepdbg.tui.actions.action import Action

MEANINGS = {
    "panel_model": "weights parameters layers modules architecture frozen requires_grad train eval norms",
    "panel_tensor": "gradient grad values statistics histogram optimizer state momentum nan infinity batch images",
    "panel_effects": "who changed what which phase changed side effects",
    "panel_optimizer": "learning rate lr weight decay momentum betas hyperparameters parameter groups state",
    "panel_loss": "curve chart history plot watch learning rate",
    "panel_source": "code line stack frames variables locals traceback",
    "panel_output": "print stdout stderr warnings log input",
    "panel_breaks": "breakpoints watches edits journal",
    "panel_findings": "rules checks problems wrong bugs mistakes warnings errors lint diagnose",
    "finding": "rule cause evidence fix explain",
    "stop_on_finding": "rule breakpoint halt",
    "panel_console": "python evaluate expression repl print",
    "console": "python evaluate expression repl print",
    "owners": "who holds identity optimizer model same tensor gradient hangs on",
    "names": "who changed which parameters gradients",
    "graph": "gradient autograd grad_fn backward derivative saved tensors leaves",
    "foresee": "what would change update size learning rate weight decay momentum clipping gradient",
    "part": "gradient grad optimizer state momentum exp_avg",
    "side": "before after difference delta changed",
    "edit": "set change value learning rate lr gradient weight hyperparameter",
    "edit_all": "set fill zero whole weight gradient",
    "undo": "revert take back edit",
    "find": "search filter parameter nan frozen gradient none",
    "find_tensor": "search filter parameter nan frozen gradient none",
    "find_next": "nan inf infinity search",
    "mark": "nan inf infinity threshold",
    "sort": "largest gradient norm order by",
    "map": "heatmap picture image plot",
    "next": "step phase over",
    "into": "step into layer module",
    "operator": "step into operator aten",
    "finish": "step update iteration batch",
    "continue": "run resume go",
    "break": "breakpoint stop at condition",
    "watch": "display print expression history sparkline chart norm of gradient follow",
    "history": "gradient norm ratio update chart plot trend vanishing exploding",
    "log_axis": "logarithmic scale chart loss",
    "pause": "stop interrupt hang stuck",
    "earlier": "past history back before time travel",
    "later": "future history forward",
    "back": "escape return",
    "leave_panel": "escape return",
    "restart": "rerun again",
    "quit": "exit detach stop leave",
    "save": "export checkpoint safetensors csv screenshot",
    "input": "stdin type answer prompt",
    "frame_up": "stack caller",
    "frame_down": "stack callee",
    "rank": "process distributed ddp gpu",
    "help": "signs legend manual",
}
"""By the id of the action; words that neither its label nor its help has."""


def means(action: Action, query: str) -> bool:
    """Whether an action is what these words are about: each begins a word of what is said of it."""
    words = f"{action.label} {action.help} {MEANINGS.get(action.id, '')}".casefold()
    said = [word.strip(".,;:()[]") for word in words.replace("/", " ").split()]
    asked = [word.rstrip("s") or word for word in query.casefold().split()]
    return bool(asked) and all(any(word.startswith(each) for word in said) for each in asked)
