"""Which effects are named at a stop, and which when somebody looks at them: a stop is small whatever the model's size.

Whoever answers `ListEffects` keeps the effects of the newest stops. No torch here, so that the fake debuggee tells by
the same rules.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

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
        effects: All of them, those on objects of one kind together.
        basis: What they are known by.
        since: The update since which they are, where several phases lie in between.
    """
    counts = Counter([(effect.kind, effect.what) for effect in effects])
    unfit = Counter([(effect.kind, effect.what, effect.holds) for effect in effects if effect.holds])
    named = effects if len(effects) <= EFFECT_NAMES else _first_of_each_kind(effects, counts)
    return Effects(
        basis,
        tuple(
            EffectCount(kind, what, count, unfit[kind, what, "nan"], unfit[kind, what, "inf"])
            for (kind, what), count in counts.items()
        ),
        tuple(named),
        len(effects) - len(named),
        since,
    )


def _first_of_each_kind(effects: Sequence[Effect], counts: Counter[tuple[Kind, What]]) -> list[Effect]:
    kinds: Counter[Kind] = Counter()
    for (kind, _), count in counts.items():
        kinds[kind] += count
    each = EFFECT_NAMES // len(kinds) - FEW * _FATES
    named: list[Effect] = []
    start = 0
    for kind, count in kinds.items():  # in the order of the effects
        named += effects[start : start + min(each, count)]
        if any(other == kind and few <= FEW for (other, _), few in counts.items()):
            rest = effects[start + each : start + count]
            named += [effect for effect in rest if counts[effect.kind, effect.what] <= FEW]
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
        found = [effect for effect in effects if effect.kind == query.kind]
        first = max(0, min(query.first, len(found) - query.count))
        return EffectNames(query.boundary, query.kind, first, len(found), tuple(found[first : first + query.count]))
