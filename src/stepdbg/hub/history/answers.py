"""What was asked at each stop, and answered: so that the past shows the figures that were seen, and no others."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from stepdbg.protocol.messages import (
    AnyResult,
    ListObjects,
    LookAt,
    Objects,
    Refusal,
    Remembered,
    Result,
    Summaries,
    Summarise,
    Summary,
)

MOST_BYTES = 32 * 1024 * 1024
"""The size of the answers of one rank that are kept; the oldest stops lose theirs first."""
NOT_RECORDED = "not recorded: nobody asked for it at this stop"


class AnswerHistory:
    """The answers of one rank, by the index of the boundary at which they were given.

    The newest answer holds. An edit makes the earlier ones of its stop untrue; they are forgotten.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._stops: OrderedDict[int, dict[Remembered | str, bytes]] = OrderedDict()
        """Answers by question; lines of figures by the name of their object."""
        self._objects: OrderedDict[tuple[int, ListObjects], bytes] = OrderedDict()
        """The trees of objects, by the number of the registry and the question: most stops share one."""
        self._encoder = msgspec.msgpack.Encoder()
        self._result = msgspec.msgpack.Decoder(AnyResult)
        self._summary = msgspec.msgpack.Decoder(Summary)

    def keep(self, boundary: int, query: Remembered, result: Result) -> None:
        """Remember what was answered at that boundary."""
        if isinstance(result, Refusal):
            return
        if isinstance(result, Objects) and isinstance(query, ListObjects) and not result.moves:
            self._bytes -= len(self._objects.pop((result.registry, query), b""))
            self._objects[result.registry, query] = self._encoded(result)
        elif isinstance(result, Summaries):
            for row in result.rows:
                self._put(boundary, row.object, row)
        else:
            self._put(boundary, query, result)
        self._thin()

    def forget(self, boundary: int) -> None:
        """Something was edited there."""
        for encoded in self._stops.pop(boundary, {}).values():
            self._bytes -= len(encoded)

    def recall(self, boundary: int, registry: int, query: Remembered) -> Result:
        """The answer of then; a `Refusal` where nobody asked.

        Args:
            boundary: The index of the boundary.
            registry: The number of the registry at that stop.
            query: The question.
        """
        known = self._stops.get(boundary, {})
        encoded: bytes | None = None
        match query:
            case ListObjects():
                encoded = known.get(query) or self._objects.get((registry, query)) or self._listed(registry, query)
            case Summarise(objects=names):
                return Summaries(tuple(self._summary.decode(known[name]) for name in names if name in known))
            case LookAt():
                encoded = known.get(query) or self._similar(known, query)
            case _:
                encoded = known.get(query)
        if encoded is None:
            return Refusal(NOT_RECORDED)
        result: Result = self._result.decode(encoded)
        return result

    def _listed(self, registry: int, query: ListObjects) -> bytes | None:
        """The newest rows of that registry with the same filter and order, be it at another window."""
        asked = [key for key in self._objects if key[0] == registry and bool(key[1].count) == bool(query.count)]
        alike = [key for key in asked if (key[1].filter, key[1].order) == (query.filter, query.order)]
        return self._objects[alike[-1]] if alike else None

    def _similar(self, known: dict[Remembered | str, bytes], query: LookAt) -> bytes | None:
        """The newest look at the same tensor, be it at another window of its numbers."""
        looks = [
            (asked, encoded)
            for asked, encoded in known.items()
            if isinstance(asked, LookAt) and asked.object == query.object and asked.statistics >= query.statistics
        ]
        windows = [encoded for asked, encoded in looks if asked.rows or not query.rows]
        others = [encoded for _, encoded in looks]
        return next(reversed(windows or others), None)

    def _put(self, boundary: int, key: Remembered | str, answer: Result | Summary) -> None:
        answers = self._stops.setdefault(boundary, {})
        self._bytes -= len(answers.pop(key, b""))
        answers[key] = self._encoded(answer)

    def _encoded(self, answer: Result | Summary) -> bytes:
        encoded = self._encoder.encode(answer)
        self._bytes += len(encoded)
        return encoded

    def _thin(self) -> None:
        while self._bytes > self._most_bytes and (len(self._stops) > 1 or len(self._objects) > 1):
            if len(self._stops) > 1:
                self.forget(next(iter(self._stops)))
            else:
                self._bytes -= len(self._objects.popitem(last=False)[1])
