"""Which effects are named at a stop, and which when somebody looks at them: a stop is small whatever the model's size.

Whoever answers `ListEffects` keeps the effects of the newest stops. No torch here, so that the fake debuggee tells by
the same rules.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

from msgspec.structs import replace

from stepdbg.protocol.messages import (
    EFFECT_NAMES,
    Basis,
    Effect,
    EffectCount,
    EffectNames,
    Effects,
    Kind,
    ListEffects,
    What,
)

FEW = 3
"""So many objects that met one fate are named in a sentence."""
_FATES = 4
_MOST = 1_000_000
"""Effects that are kept, of several stops; those of the newest are in any case."""


def counted(effects: Sequence[Effect], basis: Basis, since: int | None = None) -> Effects:
    """Effects as a stop tells them: all counts, and no more names than one stop may carry.

    Args:
        effects: All of them, those on objects of one kind together; those that came after the call's return last.
        basis: What they are known by.
        since: The update since which they are, where several phases lie in between.
    """
    counts = Counter([(effect.kind, effect.what, effect.after) for effect in effects])
    unfit = Counter([(effect.kind, effect.what, effect.after, effect.holds) for effect in effects if effect.holds])
    named = effects if len(effects) <= EFFECT_NAMES else _first_of_each_kind(effects, counts)
    return Effects(
        basis,
        tuple(
            EffectCount(kind, what, count, unfit[kind, what, after, "nan"], unfit[kind, what, after, "inf"], after)
            for (kind, what, after), count in counts.items()
        ),
        tuple(named),
        len(effects) - len(named),
        since,
    )


def of_call(effects: Effects) -> Effects:
    """Only what the call of the phase did."""
    return _part(effects, after=False)


def afterwards(effects: Effects) -> Effects:
    """Only what came after the call had returned, up to the next boundary."""
    return _part(effects, after=True)


def _part(effects: Effects, *, after: bool) -> Effects:
    counts = tuple(one for one in effects.counts if one.after == after)
    named = tuple(one for one in effects.named if one.after == after)
    left_out = max(0, sum(one.count for one in counts) - len(named)) if effects.left_out else 0
    return replace(effects, counts=counts, named=named, left_out=left_out)


def _first_of_each_kind(effects: Sequence[Effect], counts: Counter[tuple[Kind, What, bool]]) -> list[Effect]:
    kinds: Counter[tuple[Kind, bool]] = Counter()
    for (kind, _, after), count in counts.items():
        kinds[kind, after] += count
    each = EFFECT_NAMES // len(kinds) - FEW * _FATES
    named: list[Effect] = []
    start = 0
    for (kind, after), count in kinds.items():  # in the order of the effects
        named += effects[start : start + min(each, count)]
        if any((other, late) == (kind, after) and few <= FEW for (other, _, late), few in counts.items()):
            rest = effects[start + each : start + count]
            named += [effect for effect in rest if counts[effect.kind, effect.what, effect.after] <= FEW]
        start += count
    return named


class Newest:
    """The effects of the newest stops, all of them, by the index of their boundary."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[int, Sequence[Effect]] = OrderedDict()

    def keep(self, boundary: int, effects: Sequence[Effect]) -> None:
        """Training has stopped there after these; the oldest give way."""
        self._kept.pop(boundary, None)
        self._kept[boundary] = effects
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._most:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Training runs on by itself."""
        self._kept.clear()

    def window(self, query: ListEffects) -> EffectNames | None:
        """Those that are asked for; None where they are not kept any more."""
        effects = self._kept.get(query.boundary)
        if effects is None:
            return None
        found = [effect for effect in effects if (effect.kind, effect.after) == (query.kind, query.after)]
        first = max(0, min(query.first, len(found) - query.count))
        window = tuple(found[first : first + query.count])
        return EffectNames(query.boundary, query.kind, first, len(found), window, query.after)
