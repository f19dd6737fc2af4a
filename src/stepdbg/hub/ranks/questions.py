"""Questions on their way from clients to training processes and back, and the journal of edits that they leave."""

from __future__ import annotations

import itertools

import msgspec

from stepdbg.hub.history.source_files import read_source
from stepdbg.hub.ranks.rank import Asked, Asker, Rank
from stepdbg.protocol.messages import (
    Answer,
    ApplyEdit,
    Ask,
    Edit,
    EditDone,
    Evaluate,
    HubQuery,
    ListStops,
    PastStop,
    PreviewEdit,
    ReadPhase,
    ReadSource,
    ReadStop,
    Recall,
    Refusal,
    Remembered,
    Result,
    Stops,
    UndoEdit,
)


class Questions:
    """Renumbers questions towards the ranks, and answers at once what needs no rank.

    Args:
        readonly: edits are refused.
    """

    def __init__(self, *, readonly: bool) -> None:
        self.journal: tuple[Edit, ...] = ()
        """All edits made, oldest first."""
        self._readonly = readonly
        self._numbers = itertools.count(1)

    def ask(self, client: Asker, ask: Ask, rank: Rank | None) -> None:
        """Pass a question on, or answer it here."""
        if isinstance(ask.query, HubQuery):
            client.send(Answer(ask.number, _answered_here(ask.query, rank)))
        elif rank is None or rank.peer is None:
            client.send(Answer(ask.number, Refusal("there is no training process to ask")))
        elif rank.state != "paused":
            client.send(Answer(ask.number, Refusal("training is running; press p to pause")))
        elif self._readonly and isinstance(ask.query, PreviewEdit | ApplyEdit | UndoEdit):
            problem = "this session is read-only; start it without --readonly to edit"
            client.send(Answer(ask.number, Refusal(problem)))
        elif self._readonly and isinstance(ask.query, Evaluate):
            problem = "this session is read-only, and Python can change anything; start it without --readonly"
            client.send(Answer(ask.number, Refusal(problem)))
        else:
            number = next(self._numbers)
            rank.asked[number] = Asked(client, ask.number, ask.query, rank.stop.boundary.index if rank.stop else 0)
            rank.send(Ask(number, ask.query, ask.rank))

    def answered(self, rank: Rank, answer: Answer) -> bool:
        """Pass an answer back. True where the journal has changed."""
        asked = rank.asked.pop(answer.number, None)
        result = answer.result
        if isinstance(result, EditDone):
            result = EditDone(self._entered(rank, result.edit))
            if rank.stop is not None:
                rank.recollection.forget(rank.stop.boundary.index)
        if asked is not None:
            asked.asker.send(Answer(asked.number, result))
            if isinstance(asked.query, Remembered):
                rank.recollection.keep(asked.boundary, asked.query, result)
        return isinstance(result, EditDone)

    def _entered(self, rank: Rank, edit: Edit) -> Edit:
        """The edit as it stands in the journal: ranks count their own, and all of them begin with 1."""
        if edit.number not in rank.edits:
            rank.edits[edit.number] = len(self.journal) + 1
        edit = msgspec.structs.replace(edit, number=rank.edits[edit.number], rank=rank.number)
        entries = {known.number: known for known in self.journal}
        self.journal = tuple({**entries, edit.number: edit}.values())
        return edit


def _answered_here(query: HubQuery, rank: Rank | None) -> Result:
    """The answer to what no training process needs to be asked."""
    if isinstance(query, ReadSource):
        return read_source(query.file)
    if rank is None:
        return Refusal("there is no training process yet, and no stop of it")
    match query:
        case ListStops(after=after):
            return Stops(rank.timeline.ticks(after))
        case ReadStop(boundary=boundary):
            stop = rank.timeline.at(boundary)
        case ReadPhase(update=update, phase=phase, ordinal=ordinal):
            stop = rank.timeline.after_phase(update, phase, ordinal)
        case Recall(boundary=boundary, query=remembered):
            stop = rank.timeline.at(boundary)
            if stop is not None:
                return rank.recollection.recall(boundary, stop.registry, remembered)
    if stop is None:
        return Refusal("not recorded: there was no stop, or it is so long ago that it has given way to newer ones")
    return PastStop(stop)


def refuse_all(rank: Rank) -> None:
    """Tell whoever waits for an answer of `rank` that there will be none."""
    for asked in rank.asked.values():
        asked.asker.send(Answer(asked.number, Refusal("the training process has gone")))
    rank.asked.clear()
