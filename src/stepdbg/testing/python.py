"""Python in the fake debuggee's frames: their variables listed, expressions evaluated, names completed."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from typing import Any

from stepdbg.protocol.messages import Completions, Evaluated, Local, Locals
from stepdbg.testing.network import Tensor


def variables_of(frame: int, inner: dict[str, Any]) -> dict[str, Any]:
    """The variables of a frame: the loop's own, or those that the program around it has."""
    return inner if frame == 0 else {name: inner[name] for name in ("model", "optimizer", "loader") if name in inner}


def list_locals(frame: int, variables: dict[str, Any], alive: set[str]) -> Locals:
    """The variables in a few words each; tensors that are alive can be looked at."""
    rows = [_local(name, value, name in alive) for name, value in variables.items()]
    return Locals(frame, tuple(sorted(rows, key=lambda row: row.shape is None)))


def evaluate(source: str, variables: dict[str, Any]) -> Evaluated:
    """Run it; assignments reach the console's own variables only."""
    output = io.StringIO()
    value = failure = ""
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            try:
                result = eval(compile(source, "<console>", "eval"), variables)
                value = "" if result is None else repr(result)
            except SyntaxError:
                exec(compile(source, "<console>", "exec"), variables)
        except BaseException as error:
            failure = "".join(traceback.format_exception_only(error)).rstrip()
    return Evaluated(value, output.getvalue(), failure)


def complete(text: str, variables: dict[str, Any]) -> Completions:
    """The variables, or the attributes of one."""
    found = re.search(r"(?:(\w+)\.)?(\w*)\Z", text)
    assert found is not None
    base, start = found.groups()
    names = sorted(vars(variables[base])) if base in variables else sorted(variables) if base is None else []
    return Completions(found.start(2), tuple(name for name in names if name.startswith(start) and name[0] != "_"))


def _local(name: str, value: object, is_alive: bool) -> Local:
    if not isinstance(value, Tensor):
        return Local(name, repr(value) if type(value) in (int, float, str) else type(value).__name__)
    low, high = min(value.values), max(value.values)
    known_as = name if is_alive else ""
    if not value.shape:
        return Local(name, f"{low:.6g}", (), value.dtype, "cpu", object=known_as)
    return Local(name, "", value.shape, value.dtype, "cpu", low, high, known_as)
