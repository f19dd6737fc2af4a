"""Where in the user's code something was made that the moment still shows: the line, by the variable that holds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType

from stepdbg.tracer.checks.loss_graph import Node
from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import modules_of
from stepdbg.tracer.introspect.variable_uses import (
    line_that_binds,
    lines_that_add,
    lines_that_append,
    lines_that_assign,
    lines_that_name,
)


def line_of(moment: Moment, nodes: Iterable[Node], names: Mapping[Node, str]) -> Place | None:
    """The user's line that binds the first of these nodes that a variable holds the result of; where training stands,
    if none is.

    Args:
        moment: Where training stands.
        nodes: Of a graph, from the one in question on to the loss's own.
        names: What variables hold the results of nodes.
    """
    for node in nodes:
        if node in names and (place := line_that_binds_name(moment, names[node])) is not None:
            return place
    return moment.here


def line_that_binds_name(moment: Moment, name: str) -> Place | None:
    """The user's line that binds a variable, in the innermost of their frames that has it."""
    if not name.isidentifier():
        return None
    for frame in moment.stack:
        code = frame.f_code
        if frames.origin(code.co_filename) == "user":
            line = line_that_binds(code, frame.f_lasti, name)
            if line is not None:
                return code.co_filename, line
    return None


def line_that_names(moment: Moment, operator: str) -> Place | None:
    """The only line that names an operator (`sqrt`) in the user's functions that are running, that the modules of these
    define, and in the forwards of models; None where there are several, or none.
    """
    found = lines_that_name_all(moment, operator)
    return found.pop() if len(found) == 1 else None


def lines_that_name_all(moment: Moment, attribute: str) -> set[Place]:
    """All lines that name an attribute in that code."""
    return {
        (code.co_filename, line)
        for code in {id(code): code for code in _codes(moment)}.values()
        if frames.origin(code.co_filename) == "user"
        for line in lines_that_name(code, attribute)
    }


def _codes(moment: Moment) -> Iterator[CodeType]:
    for frame in moment.stack:
        if frames.origin(frame.f_code.co_filename) == "user":
            yield frame.f_code
            for value in list(frame.f_globals.values()):
                yield from _of(value)
    for _, model in moment.models:
        for _, module in modules_of(model):
            for kind in type.mro(type(module)):
                yield from _of(kind)


def _of(value: object) -> Iterator[CodeType]:
    """The code of a function, or of the functions of a class."""
    if type(value) is FunctionType:
        yield value.__code__
    elif type(value) is type:
        yield from (one.__code__ for one in vars(value).values() if type(one) is FunctionType)


def line_that_keeps(moment: Moment, name: str) -> Place | None:
    """The user's line that puts something into a variable, attribute, list or dictionary of theirs: the one that binds
    it from its own value, that appends to it, or that assigns it; None where none does.

    Args:
        moment: Where training stands.
        name: As the user would write it: `losses`, `history['loss']`, `model.hidden`.
    """
    for lines_of in (lines_that_append, lines_that_add, lines_that_assign):
        found = _places(moment, name, lines_of)
        if len({place for place, _ in found}) == 1:
            return found[0][0]
        if here := [place for place, running in found if running]:
            return here[0]
    return None


def line_that_sets(moment: Moment, attribute: str) -> Place | None:
    """The only line of the user's that assigns to an attribute or variable of that name; None where there are several,
    or none.
    """
    found = {place for place, _ in _places(moment, attribute, lines_that_assign)}
    return found.pop() if len(found) == 1 else None


def lines_that_carry(moment: Moment, name: str) -> list[Place]:
    """The user's lines that make a variable or attribute from its own value: `state = cell(x, state)`."""
    return [place for place, _ in _places(moment, name, lines_that_add)]


def _places(
    moment: Moment, name: str, lines_of: Callable[[CodeType, str], tuple[int, ...]]
) -> list[tuple[Place, bool]]:
    """The lines that do something with what a name ends with, each with whether it is in a function that runs."""
    last = re.split(r"[.]", name.partition("[")[0])[-1]
    running = [frame.f_code for frame in moment.stack]
    return [
        ((code.co_filename, line), code in running)
        for code in {id(code): code for code in _codes(moment)}.values()
        if frames.origin(code.co_filename) == "user"
        for line in lines_of(code, last)
    ]
