"""Expressions to be watched, as people write them."""

from __future__ import annotations

import re

from stepdbg.errors import UsageError
from stepdbg.protocol.expressions import UNCOMPILED, compiled, what_is_wrong

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
    try:
        compiled(expression, "<watch>")
    except UNCOMPILED as error:
        hint = "; a watch only reads, without =" if re.match(r"[\w.\[\]'\"]+\s*=(?!=)", expression) else ""
        what = what_is_wrong(error)
        raise UsageError(f"the watch {expression!r} is no expression of Python: {what}{hint}") from error
    return expression
