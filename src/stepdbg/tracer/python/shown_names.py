"""The names that a stop shows, as Python that the console can run.

A name shown is what the user would write, where Python lets one write it. `model.0.weight` and
`opt.state[model.0.weight].exp_avg` are no Python, `output` may be what a call gave that no variable holds, and
`net.weight` may belong to a variable of another frame. So where such a name stands in what is typed, Python that leads
to the very same object is put in its place: an expression where there is one, since it can be assigned to, else a
variable that stands for the object.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stepdbg.tracer.objects.alive import Alive

_NUMBERED = re.compile(r"\.(\d+)(?=[.\[]|$)")
"""The number of a module in a sequence, or of a parameter in a list of them."""
_ENTRY = re.compile(r"(?P<optimizer>.*)\.state\[(?P<parameter>.*)\]\.(?P<entry>\w+)$")
"""An entry of an optimizer's state."""

StandIns = dict[str, Callable[[], Any]]
"""Variables that stand for objects shown, each called for its value."""


def as_python(name: str) -> str:
    """A name of the listing in Python's own syntax: `model.__getattr__('0').weight`, `opt.state[…]['exp_avg']`."""
    if (state := _ENTRY.match(name)) is not None:
        optimizer, parameter = as_python(state["optimizer"]), as_python(state["parameter"])
        return f"{optimizer}.state[{parameter}]['{state['entry']}']"
    return _NUMBERED.sub(r".__getattr__('\1')", name)


def runnable(source: str, alive: Mapping[str, Alive], evaluate: Callable[[str], Any]) -> tuple[str, StandIns]:
    """What was typed, with each shown name in it as Python that gives the object shown.

    Args:
        source: What was typed.
        alive: What the stop lists, by name.
        evaluate: Gives the value of an expression in the frame that the console looks at.

    Returns:
        The source as Python, and the variables that stand for objects which no expression leads to.

    Raises:
        NameError: what is assigned to is shown, but nothing in this frame leads to it.
    """
    found = _places(source, alive)
    stand_ins: StandIns = {}
    written: dict[str, str] = {}
    for name in dict.fromkeys(found.values()):
        entry = alive[name]
        if name.isidentifier():  # a variable of the frame with that name wins; an assignment makes one
            stand_ins[name] = _giver(entry)
            written[name] = name
        elif (python := _expression(name, entry, evaluate)) is not None:
            written[name] = python
        else:
            written[name] = f"_shown_{len(stand_ins) + 1}"
            stand_ins[written[name]] = _giver(entry)
    for (start, end), name in sorted(found.items(), reverse=True):
        source = source[:start] + written[name] + source[end:]
    if assigned := _assigned(source, {python: name for name, python in written.items() if python != name}):
        raise NameError(f"{assigned} can be looked at here, but not assigned to: no variable of this frame leads to it")
    return source, stand_ins


def _places(source: str, alive: Mapping[str, Alive]) -> dict[tuple[int, int], str]:
    """The offsets in the source of names of the listing, the longest at each place."""
    found: dict[tuple[int, int], str] = {}
    names = sorted((name for name in alive if name in source), key=len, reverse=True)
    taken = [*_quoted(source)] if names else []
    for name in names:
        for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?!\w|\.\d)", source):
            start, end = match.span()
            if not any(begin < end and start < until for begin, until in taken):
                found[start, end] = name
                taken.append((start, end))
    return found


def _expression(name: str, entry: Alive, evaluate: Callable[[str], Any]) -> str | None:
    """The Python that gives that object in the frame, if any does; a plain value is taken as the frame has it."""
    python = as_python(name)
    try:
        value = evaluate(python)
    except Exception:
        return None
    return python if entry.tensor is None or value is entry.tensor else None


def _giver(entry: Alive) -> Callable[[], Any]:
    return lambda: entry.value if entry.tensor is None else entry.tensor


def _assigned(source: str, stand_ins: Mapping[str, str]) -> str | None:
    """The shown name behind a variable of ours that the source assigns to or deletes."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # told when it is run
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and node.id in stand_ins:
            return stand_ins[node.id]
    return None


def _quoted(source: str) -> Iterator[tuple[int, int]]:
    """The offsets of strings and comments, as far as the source can be told apart into tokens.

    A string that is an index (`batch['x']`) may be part of a name, and is left out.
    """
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    before = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and before != "["):
                yield lines[token.start[0] - 1] + token.start[1], lines[token.end[0] - 1] + token.end[1]
            before = token.string
    except (tokenize.TokenError, SyntaxError):
        return
