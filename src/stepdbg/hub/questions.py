"""Questions on their way from clients to training processes and back, and the journal of edits that they leave."""

from __future__ import annotations

import itertools

import msgspec

from stepdbg.hub.ranks import Asker, Rank
from stepdbg.hub.source import read_source
from stepdbg.protocol.messages import (
    Answer,
    ApplyEdit,
    Ask,
    Edit,
    EditDone,
    PreviewEdit,
    ReadSource,
    Refusal,
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
        if isinstance(ask.query, ReadSource):
            client.send(Answer(ask.number, read_source(ask.query.file)))
        elif rank is None or rank.peer is None:
            client.send(Answer(ask.number, Refusal("there is no training process to ask")))
        elif rank.state != "paused":
            client.send(Answer(ask.number, Refusal("training is running; press p to pause")))
        elif self._readonly and isinstance(ask.query, PreviewEdit | ApplyEdit | UndoEdit):
            problem = "this session is read-only; start it without --readonly to edit"
            client.send(Answer(ask.number, Refusal(problem)))
        else:
            number = next(self._numbers)
            rank.asked[number] = (client, ask.number)
            rank.send(Ask(number, ask.query, ask.rank))

    def answered(self, rank: Rank, answer: Answer) -> bool:
        """Pass an answer back. True where the journal has changed."""
        client, number = rank.asked.pop(answer.number, (None, 0))
        result = answer.result
        if isinstance(result, EditDone):
            result = EditDone(self._entered(rank, result.edit))
        if client is not None:
            client.send(Answer(number, result))
        return isinstance(result, EditDone)

    def _entered(self, rank: Rank, edit: Edit) -> Edit:
        """The edit as it stands in the journal: ranks count their own, and all of them begin with 1."""
        if edit.number not in rank.edits:
            rank.edits[edit.number] = len(self.journal) + 1
        edit = msgspec.structs.replace(edit, number=rank.edits[edit.number], rank=rank.number)
        entries = {known.number: known for known in self.journal}
        self.journal = tuple({**entries, edit.number: edit}.values())
        return edit


def refuse_all(rank: Rank) -> None:
    """Tell whoever waits for an answer of `rank` that there will be none."""
    for client, number in rank.asked.values():
        client.send(Answer(number, Refusal("the training process has gone")))
    rank.asked.clear()
