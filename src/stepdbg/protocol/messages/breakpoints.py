"""Where training shall stop."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Question, Result


class Watched(Part, frozen=True):
    """A value that is watched, and what it is to do for training to stop."""

    name: str
    """A name as the screen shows it, a variable of the script's, or a pattern of names in which `*` and `?` stand for
    anything; an element or a slice may follow: `model.fc1.weight[3, 7]`."""
    how: Literal["changes", "leaves", "not finite", "stays"] = "changes"
    """What it is to do: become another; come to lie outside of a range; come to be NaN or infinite; not change."""
    low: float = 0.0
    high: float = 0.0
    """The range that it leaves, both ends included."""
    updates: int | None = None
    """So many whole updates it does not change."""


class Breakpoint(Part, frozen=True):
    """Where to stop, when, and what to do there instead: all that is given has to hold."""

    number: int
    """From 1, given by the hub; 0 in a request."""
    phase: str | None = None
    """The phase. None for the opening of an update or epoch, for a line, and where a value is watched; `gradient`
    with a name in `of` for that of a parameter."""
    when: Literal["before", "after"] = "before"
    update: int | None = None
    """Only in the update of that number, from 1."""
    enabled: bool = True
    hits: int = 0
    """How often it was met: every part of it held. What was ignored is counted too."""
    of: str = ""
    """Only that of this model, module within a model, optimizer, loss or parameter: a name as the screen shows it, or a
    pattern of such names (`opt_*`); empty for any."""
    every: int | None = None
    """Only in each update whose number this divides."""
    epoch: int | None = None
    """Only in the epoch of that number, from 1."""
    rank: int | None = None
    """Only in the training process of that number, from 0."""
    condition: str = ""
    """A Python expression that has to be true there; empty for none."""
    ignore: int = 0
    """So often it is met without a stop."""
    once: bool = False
    """Whether it is removed when it has stopped."""
    log: str = ""
    """What is noted there instead of a stop: words with `{expressions}` in them; empty for a stop."""
    problem: str = ""
    """Why it cannot be met as it is written, or what its condition has raised; empty where nothing is known."""
    remark: str = ""
    """What is to be known of how its condition is evaluated; empty where nothing is."""
    first_bad: bool = False
    """Whether training stops at the first NaN anywhere, or infinity where none belongs: at no place of its own."""
    finding: bool = False
    """Whether training stops at each boundary at which a rule finds something that it had not found before: every
    boundary is looked at."""
    met_nothing: bool = False
    """Whether what it names (a phase, a model, an optimizer, a loss, a file, a value) has not been met yet in this
    run."""
    file: str = ""
    """The source file of a line, as it was written: a path, relative to where the user started, or the end of one."""
    line: int | None = None
    """The line of that file before which training stops, from 1; None for a breakpoint that is on no line."""
    watch: Watched | None = None
    """The value that is watched: it is met at the first boundary after that has done what is waited for."""
    goal: bool = False
    """Whether training was told to run there: there is one such place at a time, and it is gone once it is met."""
    time: float | None = None
    """The moment after which it is met, at the first boundary, once: in seconds since 1970."""


class CheckBreakpoint(Question, frozen=True):
    """What would that breakpoint match, and what is its condition here and now? Answer: `BreakpointChecked`."""

    text: str
    """As people write it."""


class BreakpointChecked(Result, frozen=True):
    """A breakpoint held against what is alive at this stop."""

    meant: str
    """The breakpoint in its full form: `before backward if loss > 2`."""
    matches: tuple[str, ...] = ()
    """What its name or pattern fits, by name, no more than a few."""
    more: int = 0
    """How many more it fits."""
    unknown: str = ""
    """What it names that has not been met yet, with the nearest name that has; empty where all is known."""
    value: str = ""
    """What its condition gives here, or its message says; empty where it has none, or where it fails."""
    problem: str = ""
    """Why its condition or its message cannot be evaluated here."""
