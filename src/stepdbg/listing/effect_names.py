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
_When = tuple[bool, bool]
"""Whether something came after the call of the phase, and whether before it."""
_CALL, _AFTER, _BEFORE = (False, False), (True, False), (False, True)
_MOST = 1_000_000
"""Effects that are kept, of several stops; those of the newest are in any case."""


def counted(effects: Sequence[Effect], basis: Basis, since: int | None = None) -> Effects:
    """Effects as a stop tells them: all counts, and no more names than one stop may carry.

    Args:
        effects: All of them, those on objects of one kind together; those that came after the call's return last, those
            from before it first.
        basis: What they are known by.
        since: The update since which they are, where several phases lie in between.
    """
    counts = Counter([(effect.kind, effect.what, _when(effect)) for effect in effects])
    unfit = Counter([(effect.kind, effect.what, _when(effect), effect.holds) for effect in effects if effect.holds])
    named = effects if len(effects) <= EFFECT_NAMES else _first_of_each_kind(effects, counts)
    return Effects(
        basis,
        tuple(
            EffectCount(kind, what, count, unfit[kind, what, when, "nan"], unfit[kind, what, when, "inf"], *when)
            for (kind, what, when), count in counts.items()
        ),
        tuple(named),
        len(effects) - len(named),
        since,
    )


def of_call(effects: Effects) -> Effects:
    """Only what the call of the phase did."""
    return _part(effects, _CALL)


def afterwards(effects: Effects) -> Effects:
    """Only what came after the call had returned, up to the next boundary."""
    return _part(effects, _AFTER)


def beforehand(effects: Effects) -> Effects:
    """Only what came between the boundary before and the beginning of the call."""
    return _part(effects, _BEFORE)


def _when(effect: Effect | EffectCount) -> _When:
    return effect.after, effect.before


def _part(effects: Effects, when: _When) -> Effects:
    counts = tuple(one for one in effects.counts if _when(one) == when)
    named = tuple(one for one in effects.named if _when(one) == when)
    left_out = max(0, sum(one.count for one in counts) - len(named)) if effects.left_out else 0
    return replace(effects, counts=counts, named=named, left_out=left_out)


def _first_of_each_kind(effects: Sequence[Effect], counts: Counter[tuple[Kind, What, _When]]) -> list[Effect]:
    kinds: Counter[tuple[Kind, _When]] = Counter()
    for (kind, _, when), count in counts.items():
        kinds[kind, when] += count
    each = EFFECT_NAMES // len(kinds) - FEW * _FATES
    named: list[Effect] = []
    start = 0
    for (kind, when), count in kinds.items():  # in the order of the effects
        named += effects[start : start + min(each, count)]
        if any((other, then) == (kind, when) and few <= FEW for (other, _, then), few in counts.items()):
            rest = effects[start + each : start + count]
            named += [effect for effect in rest if counts[effect.kind, effect.what, _when(effect)] <= FEW]
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
        wanted = query.kind, (query.after, query.before)
        found = [effect for effect in effects if (effect.kind, _when(effect)) == wanted]
        first = max(0, min(query.first, len(found) - query.count))
        window = tuple(found[first : first + query.count])
        return EffectNames(query.boundary, query.kind, first, len(found), window, query.after, query.before)
