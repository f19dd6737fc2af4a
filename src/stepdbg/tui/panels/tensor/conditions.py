"""What is marked in a tensor, as a user writes it: `nan`, `> 0.5`, `-1..1`, `outside -1..1`, `= 0`."""

from __future__ import annotations

import math
import re

from stepdbg.errors import ConditionError
from stepdbg.protocol.messages import Condition

ODD = Condition(odd=True)
"""NaN and infinities: what is looked for unless the user says otherwise."""
_NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_RANGE = re.compile(rf"(outside\s+|not\s+)?{_NUMBER}\s*\.\.\s*{_NUMBER}\Z", re.IGNORECASE)
_COMPARISON = re.compile(rf"(>=|<=|>|<|==?|!=)\s*{_NUMBER}\Z", re.IGNORECASE)


def parsed(text: str) -> Condition:
    """The condition.

    Raises:
        ConditionError: it is none.
    """
    words = text.strip()
    if words.lower() in ("nan", "inf", "nan inf", "not finite"):
        return ODD
    if found := _RANGE.match(words):
        low, high = float(found[2]), float(found[3])
        if low > high:
            raise ConditionError(f"{low:g} is larger than {high:g}: the smaller one comes first")
        return Condition(low, high, outside=bool(found[1]))
    if found := _COMPARISON.match(words):
        number = float(found[2])
        match found[1]:
            case ">":
                return Condition(low=math.nextafter(number, math.inf))
            case ">=":
                return Condition(low=number)
            case "<":
                return Condition(high=math.nextafter(number, -math.inf))
            case "<=":
                return Condition(high=number)
            case sign:
                return Condition(number, number, outside=sign == "!=")
    raise ConditionError("write nan, > 0.5, <= -1, = 0, != 0, -1..1 or outside -1..1")


def holds(condition: Condition, number: float) -> bool:
    """Whether a number that is in view is to be marked."""
    if condition.odd:
        return not math.isfinite(number)
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    inside = low <= number <= high
    return not inside and not math.isnan(number) if condition.outside else inside
