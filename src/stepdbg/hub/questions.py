"""Questions on their way from clients to training processes and back, and the journal of edits that they leave."""

from __future__ import annotations

import itertools

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
        if client is not None:
            client.send(Answer(number, answer.result))
        if not isinstance(answer.result, EditDone):
            return False
        edit = answer.result.edit
        others = tuple(known for known in self.journal if known.number != edit.number)
        self.journal = tuple(sorted((*others, edit), key=lambda known: known.number))
        return True


def refuse_all(rank: Rank) -> None:
    """Tell whoever waits for an answer of `rank` that there will be none."""
    for client, number in rank.asked.values():
        client.send(Answer(number, Refusal("the training process has gone")))
    rank.asked.clear()
