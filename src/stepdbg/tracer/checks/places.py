"""Where in the user's code something was made that the moment still shows: the line, by the variable that holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stepdbg.tracer.checks.loss_graph import Node
from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.variable_uses import line_that_binds


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
