"""Values changed by hand: what an edit would do, what it did, and taking it back."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Part, Question, Result


class PreviewEdit(Question, frozen=True):
    """What an edit would do; nothing is changed yet. Answer: `EditPreview`, or `Refusal`."""

    object: str
    expression: str
    """Python; `old` is the present value, and `torch` and the user's variables are at hand. For a gradient, `value` is
    the parameter; where `.grad` is None one is made of it, and the expression `None` frees one.
    """
    index: tuple[int, ...] | None = None
    """The index of one element of a tensor or tuple; None for the whole."""
    where: str = ""
    """A slice of a tensor as Python writes it, `[0, :8, ::2]`, where no index is given."""
    frame: int | None = None
    """The frame of which `object` is a variable, as in `ListLocals`; the variable is bound anew. None for any other."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,) if self.frame is None else ()


class EditPreview(Result, frozen=True):
    """The old and the new value, in words. Answer to `PreviewEdit`."""

    token: int
    """The number by which `ApplyEdit` names this edit."""
    object: str
    index: tuple[int, ...] | None
    old: str
    new: str
    warning: str = ""
    """What the user must know before it is done."""
    where: str = ""
    """The slice, as in `Edit`."""
    saved: bool = False
    """Whether autograd may have saved the value for the backward that comes: `ApplyEdit.under` is then a choice."""


class ApplyEdit(Question, frozen=True):
    """Do what was previewed. Answer: `EditDone`."""

    token: int
    under: bool = False
    """Whether to write under autograd's feet: past the version counter, so that backward goes on with old and new
    values mixed. Else the tensor is written through itself, and backward refuses where it needs the old value.
    """


class UndoEdit(Question, frozen=True):
    """Take the newest edit back. Answer: `EditDone` with `undone` or `lapsed` set, or `Refusal`."""


class Edit(Part, frozen=True):
    """An entry of the journal."""

    number: int
    """The number of the edit, from 1 in the order in which edits were made; a rank counts its own, the hub those of
    all."""
    object: str
    index: tuple[int, ...] | None
    expression: str
    old: str
    new: str
    boundary: int
    update: int
    undone: bool = False
    where: str = ""
    """The slice that was written, `[0, :8]`; empty where it was a single element or the whole."""
    under: bool = False
    """Whether the edit was written under autograd's feet."""
    lapsed: bool = False
    """Whether the edit cannot be undone any more: what it changed is gone."""
    rank: int = 0
    """The rank in which the edit was made; the hub says which."""
    undone_at: int = 0
    """The boundary at which the edit was taken back: training ran with it from `boundary` to there. 0 while it
    holds."""


class EditDone(Result, frozen=True):
    """The edit as it stands in the journal."""

    edit: Edit
