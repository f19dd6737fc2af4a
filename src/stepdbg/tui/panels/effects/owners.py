"""Who holds a tensor, drawn so that *one tensor, two owners* is seen: lines lead from each owner to the same box.

What hangs on the tensor hangs below the box: its gradient, and what an optimizer keeps under it. This is the answer to
where the gradients are: not in the model, not in the optimizer, but on the tensors that both of them hold.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.listing.tree import Marked, Marks
from stepdbg.protocol.messages import Hanging, Identity, Owner
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import (
    NAME,
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    lesson,
    padded,
    plain,
    shortened,
    shortened_name,
    width_of,
    wrapped,
)
from stepdbg.tui.drawing.marks import SIGNS, UNSURE, hinted
from stepdbg.tui.drawing.numbers import figure, shape
from stepdbg.tui.state.answers import IDENTITY
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ObjectTarget

WIDEST_BOX = 44
ROOMY = 60
"""Cells from which on things have their long names, and each owner a word on what it is."""
SOME_PHASE = "some phase"
"""What is said in place of the phase done, where several phases have run since the last stop."""
TALL = 14
"""Lines from which on the word on an owner may take one of its own."""
MOST_OWNERS = 6
"""The most owners that are drawn with a line of their own."""


class Strokes(NamedTuple):
    """The lines and corners; each with its stand-in under `--ascii`."""

    across: str = "─"
    down: str = "│"
    first: str = "┌"
    branch: str = "├"
    last: str = "└"
    top_left: str = "┏"
    top_right: str = "┓"
    bottom_left: str = "┗"
    bottom_right: str = "┛"
    side: str = "┃"
    edge: str = "━"
    hook: str = "┯"


DRAWN = Strokes()
TYPED = Strokes("-", "|", "+", "+", "+", "+", "+", "+", "+", "|", "=", "+")


def draw(snapshot: Snapshot, frame: Frame, name: str) -> Drawing:
    """The whole panel as the identity of the tensor of that name, one line of the body for each that it takes."""
    known = snapshot.answer(IDENTITY)
    shown = known.object if known is not None and belongs(known, name) else name
    title = (Span("who owns "), Span(plain(shown), NAME))
    drawn = lines(snapshot, frame, name)
    return Drawing(title, (), drawn[frame.top : frame.top + frame.height], len(drawn))


def lines(snapshot: Snapshot, frame: Frame, name: str) -> tuple[Line, ...]:
    """The owners, the tensor, what hangs on it, and what that means, in as many lines as it takes."""
    known = snapshot.answer(IDENTITY)
    if not name:
        how = f"Press {snapshot.key('owners')} on one in the Model panel."
        return lesson(f"No tensor is selected. {how}", frame)
    if known is None or not belongs(known, name):
        return lesson(snapshot.problem(IDENTITY) or f"asking who owns {name}", frame)
    strokes = DRAWN if frame.glyphs.braille else TYPED
    effects = snapshot.stop.effects if snapshot.stop is not None else None
    named = Marked(effects.named if effects is not None else ())
    fresh = named.get(known.object) if known.object in named else Marks(*known.marks)  # a stop names not all of many
    done = snapshot.stop.boundary.done if snapshot.stop is not None else None
    if done and hinted(snapshot.stop):
        done = SOME_PHASE
    drawn = [
        *_owners(known, frame, strokes),
        *_box(known, frame, strokes, _just(done, fresh.value)),
        *_hangs(known, frame, strokes, _just(done, fresh.grad), _just(done, fresh.state)),
    ]
    words = meaning(known)
    drawn += [(), *((Span(f" {line}", "sentence"),) for line in wrapped(words, max(10, frame.width - 2), 8))]
    return tuple(drawn)


def belongs(known: Identity, name: str) -> bool:
    """Whether that is the identity of the tensor of that name, or of the parameter of that gradient or state entry."""
    return name == known.object or name == f"{known.object}.grad" or f".state[{known.object}]" in name


def _just(done: str | None, what: str) -> Span | None:
    """`* just changed by step`, where the phase just done did something to it."""
    if not (what and done):
        return None
    words = {"touched": "written with the same value"}.get(what, what)
    if done == SOME_PHASE:
        return Span(f"  {SIGNS[what]}{UNSURE} {words} since the last stop", f"mark.{what}")
    return Span(f"  {SIGNS[what]} just {words} by {done}", f"mark.{what}")


def _with(line: Line, more: Span | None, width: int) -> Line:
    """The line with a remark at its end, where there is room for it."""
    return (*line, more) if more is not None and width_of((*line, more)) <= width else line


def _owners(known: Identity, frame: Frame, strokes: Strokes) -> list[Line]:
    shown = known.owners[:MOST_OWNERS]
    drawn: list[Line] = []
    widest = max([20, *(cell_len(owner.expression) for owner in shown)])
    widest = min(widest, max(16, frame.width - 5 - 26)) if frame.width >= ROOMY else frame.width - 4
    for index, owner in enumerate(shown):
        start = f" {strokes.branch if index else strokes.first}{strokes.across} "
        expression = shortened_name(plain(owner.expression), widest, frame.glyphs.ellipsis)
        role = {"model": "module", "optimizer": "accent", "variable": ""}[owner.kind]
        note = f"  {_role_of(owner)}"
        if cell_len(start) + widest + cell_len(note) <= frame.width:
            drawn.append((Span(start, "accent"), Span(padded(expression, widest), role), Span(note, "dim")))
        else:
            drawn.append((Span(start, "accent"), Span(expression, role)))
            if frame.height >= TALL:  # below the name, where there is no room beside it
                drawn.append(
                    (
                        Span(f" {strokes.down}  ", "accent"),
                        Span(shortened(note, frame.width - 4, frame.glyphs.ellipsis), "dim"),
                    )
                )
    more = len(known.owners) - len(shown) + known.left_out
    if more:
        drawn.append((Span(f" {strokes.branch}{strokes.across} ", "accent"), Span(f"and {more} more", "dim")))
    if not shown:
        start = f" {strokes.first}{strokes.across} "
        drawn.append((Span(start, "accent"), Span("nothing that has a name", "dim")))
    lacks = "in no optimizer: step will never change it" if _lacks_optimizer(known) else ""
    if _lacks_model(known):
        lacks = "in no model: what step does to it, no model sees"
    if lacks:
        words = shortened(lacks, frame.width - 7, frame.glyphs.ellipsis)
        drawn.append((Span(f" {strokes.down}  ", "accent"), Span(f"! {words}", "warning")))
    return drawn


def _role_of(owner: Owner) -> str:
    if owner.kind == "model":
        return f"attribute of {owner.cls}" if owner.cls else "attribute"
    if owner.kind == "optimizer":
        return f"in {owner.cls}'s list"
    return f"your variable, in {owner.cls}" if owner.cls else "your variable"


def _lacks_optimizer(known: Identity) -> bool:
    held = any(owner.kind == "optimizer" for owner in known.owners)
    return known.kind == "parameter" and bool(known.optimizers) and not held


def _lacks_model(known: Identity) -> bool:
    """Whether an optimizer holds it and no model does, though there are models: one of a layer that was replaced."""
    owned = {owner.kind for owner in known.owners}
    return known.kind == "parameter" and bool(known.models) and "optimizer" in owned and "model" not in owned


def _box(known: Identity, frame: Frame, strokes: Strokes, just: Span | None) -> list[Line]:
    holders = [owner for owner in known.owners if owner.kind != "variable"] or list(known.owners)
    number = len(holders)
    words = "ONE tensor" + (f", {number} owners" if number > 1 else ", 1 owner" if number else "")
    about = f"{shape(known.shape, frame.glyphs.times)} {known.dtype} {known.device}"
    who = f"id {known.id:#x}"
    if known.pointer is not None and frame.width >= ROOMY:
        who += f" {frame.glyphs.dot} data at {known.pointer:#x}"
    inner = min(WIDEST_BOX, max(10, frame.width - 8), max(cell_len(words), cell_len(about), cell_len(who)))
    ellipsis = frame.glyphs.ellipsis
    left = f" {strokes.down}  "
    rows = [(words, "strong"), (about, "number"), (who, "dim")]
    drawn: list[Line] = [
        (
            Span(left, "accent"),
            Span(strokes.top_left + strokes.edge * (inner + 2) + strokes.top_right, "accent"),
        )
    ]
    for index, (text, role) in enumerate(rows):
        lead = f" {strokes.last}{strokes.across}{frame.glyphs.arrow}" if index == 0 else "    "
        row = (
            Span(lead, "accent" if index == 0 else ""),
            Span(f"{strokes.side} ", "accent"),
            Span(padded(text, inner, ellipsis), role),
            Span(f" {strokes.side}", "accent"),
        )
        drawn.append(_with(row, just if index == 0 else None, frame.width))
    hook = strokes.edge + strokes.hook + strokes.edge * inner
    drawn.append((Span("    "), Span(strokes.bottom_left + hook + strokes.bottom_right, "accent")))
    return drawn


def _hangs(
    known: Identity, frame: Frame, strokes: Strokes, just_grad: Span | None, just_state: Span | None
) -> list[Line]:
    """The gradient, then a line for each optimizer that keeps something under the tensor."""
    grads = [hanging for hanging in known.hangs if hanging.kind == "grad"]
    kept: dict[str, list[Hanging]] = {}
    for hanging in known.hangs:
        if hanging.kind == "state":
            kept.setdefault(hanging.object.partition(".state[")[0], []).append(hanging)
    entries: list[tuple[str, str, str, str]] = []
    if grads:
        norm = "" if grads[0].norm is None else f"  norm {figure(grads[0].norm)}"
        entries.append((".grad", f"{_sizes(grads[0].text, frame.glyphs)}{norm}", "effect", grads[0].object))
    elif known.kind == "parameter":
        freed = just_grad is not None and just_grad.role == "mark.freed"
        why, role = "None" if freed else "None until the next backward", "dim"
        if _lacks_model(known):
            why = "None: no backward has reached it"
        if not known.requires_grad:
            why, role = "None, for ever: requires_grad is False", "warning"
        entries.append((".grad", why, role, ""))
    for optimizer, hangings in kept.items():
        words = ", ".join(_state_words(hanging, frame.glyphs) for hanging in hangings)
        label = f"{optimizer}.state" if frame.width >= ROOMY else "state"
        entries.append((label, words, "number", hangings[0].object))
    if known.kind == "parameter" and not kept and known.optimizers and not _lacks_optimizer(known):
        entries.append(("state", _no_state(known), "dim", ""))
    drawn: list[Line] = []
    wide = max([0, *(cell_len(entry[0]) for entry in entries)])
    for index, (label, words, role, target) in enumerate(entries):
        turn = strokes.last if index == len(entries) - 1 else strokes.branch
        start = f"      {turn}{strokes.across} "
        room = max(4, frame.width - cell_len(start) - wide - 2)
        link = ObjectTarget(target) if target else None
        line = (
            Span(start, "accent"),
            Span(padded(plain(label), wide), "strong", link),
            Span(f"  {shortened(plain(words), room, frame.glyphs.ellipsis)}", role, link),
        )
        drawn.append(_with(line, just_grad if label == ".grad" else just_state, frame.width))
    if known.shares:
        others = ", ".join(known.shares[:3]) + (f" and {len(known.shares) - 3} more" if len(known.shares) > 3 else "")
        words = shortened(f"the same memory as {others}", frame.width - 7, frame.glyphs.ellipsis)
        drawn.append((Span(f"      {words}", "warning"),))
    return drawn


def _no_state(known: Identity) -> str:
    """Why no optimizer keeps anything under the tensor."""
    if not known.steps:
        return "none yet: an optimizer makes it at its first step, if it needs any"
    if known.stateful:
        return "none: no step has found a gradient on it"
    classes = {owner.cls: None for owner in known.owners if owner.kind == "optimizer" and owner.cls}
    return f"none: {' and '.join(classes) or 'the optimizer'} keeps none with these settings"


def _sizes(words: str, glyphs: Glyphs) -> str:
    return words.replace("×", glyphs.times)


def _state_words(hanging: Hanging, glyphs: Glyphs) -> str:
    key = hanging.object.rpartition("].")[2]
    norm = "" if hanging.norm is None else f" (norm {figure(hanging.norm)})"
    return f"{key} {_sizes(hanging.text, glyphs)}{norm}"


def meaning(known: Identity) -> str:
    """What the picture means for backward and step, in plain words."""
    models = [owner for owner in known.owners if owner.kind == "model"]
    held = [owner for owner in known.owners if owner.kind == "optimizer"]
    has_grad = any(hanging.kind == "grad" for hanging in known.hangs)
    if known.kind == "buffer":
        return "A buffer is the model's alone: it has no gradient, no optimizer changes it; forward may."
    if known.kind == "loss":
        return (
            f"The loss knows the way back through its graph ({known.grad_fn or 'none'}): backward walks it and writes "
            "a .grad onto each parameter at its end. The loss keeps no list of parameters, and never calls the model."
        )
    if known.kind != "parameter":
        made = f"{known.grad_fn} made it, so backward can walk through it" if known.grad_fn else "it has no graph"
        return f"No parameter: {made}; step never changes it."
    sentences = []
    if models and held:
        sentences.append("The model and the optimizer hold this very tensor, not copies.")
    if len(models) > 1:
        sentences.append(f"Tied: {len(models)} attributes of the model are this one tensor.")
    if len(held) > 1:
        sentences.append(f"It is in {len(held)} groups of optimizers: each of their steps changes it.")
    if _lacks_model(known):
        who = f"{known.models[0]} does not" if len(known.models) == 1 else "no model does"
        sentences.append(f"The optimizer holds it and {who}: was its layer replaced after the optimizer was made?")
        if not has_grad:
            return " ".join([*sentences, "With no gradient on it, step passes it by."])
    if not known.requires_grad:
        sentences.append("It is frozen (requires_grad is False): backward passes it by.")
    elif has_grad:
        sentences.append(".grad hangs on the tensor: backward wrote it there, and never called the model.")
    else:
        sentences.append(".grad will hang on the tensor: backward writes it there, and never calls the model.")
    if held and known.requires_grad:
        through = ", and thereby the model." if models else "."
        sentences.append(f"step reads .grad and changes the tensor{through}")
    elif known.optimizers and not held:
        sentences.append("It is in no optimizer: step will never change it.")
    return " ".join(sentences)
