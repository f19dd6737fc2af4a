"""Python in the frames of the fake debuggee, as far as a list of variables allows it."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import traceback

from stepdbg.protocol.messages import Completions, Evaluated, Locals


def variables_of(known: Locals) -> dict[str, object]:
    """What the variables hold: numbers and strings themselves, of all else the description."""
    found: dict[str, object] = {}
    for row in known.rows:
        try:
            found[row.name] = ast.literal_eval(row.text)
        except (ValueError, SyntaxError):
            found[row.name] = row.text
    return found


def evaluate(source: str, variables: dict[str, object]) -> Evaluated:
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


def complete(text: str, names: list[str]) -> Completions:
    """The variables whose names begin as the text ends."""
    found = re.search(r"\w*\Z", text)
    assert found is not None
    return Completions(found.start(), tuple(sorted(name for name in names if name.startswith(found[0]))))
