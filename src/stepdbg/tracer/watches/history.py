"""Answers what the history of a parameter is."""

from __future__ import annotations

from stepdbg.protocol.messages import History, HistoryPoint, ReadHistory, Result
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.watches.parameters import NOT_SEEN, ParameterHistory, is_plain


class Histories(Handler):
    """Answers `ReadHistory`.

    Args:
        registry: What is alive, by name.
        samples: What was found of each parameter.
    """

    answers = (ReadHistory,)

    def __init__(self, registry: Registry, samples: ParameterHistory) -> None:
        self._registry, self._samples = registry, samples

    def answer(self, query: ReadHistory) -> Result:
        """The updates that were sampled, oldest first.

        Raises:
            Refused: there is no parameter of that name, or none that can be sampled.
        """
        name = query.object.removesuffix(".grad")
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None or entry.kind != "parameter":
            raise Refused(f"{name} is no parameter, of which alone a history is kept")
        if not is_plain(entry.tensor):
            raise Refused(f"{name} is not sampled: only parameters of a plain type are")
        found = self._samples.of(entry.tensor)
        return History(name, tuple(HistoryPoint(update, _known(norm), _known(ratio)) for update, norm, ratio in found))


def _known(value: float) -> float | None:
    """The figure; None where nothing was looked at."""
    return None if value == NOT_SEEN else value
