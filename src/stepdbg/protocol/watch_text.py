"""Expressions to be watched, as people write them."""

from __future__ import annotations

import re

from stepdbg.errors import UsageError

EXAMPLES = '`acc`, `grad_norm()`, `ratio("model.fc1.weight")`'
LONGEST = 1000
"""Characters of an expression."""


def read_watch(text: str) -> str:
    """The expression that is to be watched.

    Raises:
        UsageError: the text is no expression of Python; says what is wrong with it.
    """
    expression = text.strip()
    if not expression:
        raise UsageError(f"there is nothing to watch; write for example {EXAMPLES}")
    if len(expression) > LONGEST:
        raise UsageError(f"an expression of more than {LONGEST:,} characters is not watched")
    import warnings  # not before the first paint

    try:
        with warnings.catch_warnings(action="ignore"):
            compile(expression, "<watch>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        what = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        hint = ""
        if re.match(r"[\w.\[\]'\"]+\s*=(?!=)", expression):
            hint = "; a watch only reads, without ="
        raise UsageError(f"the watch {expression!r} is no expression of Python: {what}{hint}") from error
    return expression
