"""Edits of the fake debuggee: those that were recorded, each with the answers that hold once it is applied."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from stepdbg.protocol.messages import ApplyEdit, Boundary, Edit, EditDone, EditPreview, PreviewEdit, Refusal, UndoEdit
from stepdbg.testing.recording import Recording, State


class Editor:
    """Previews, applies and takes back, at one stop after the other."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._boundary = Boundary(0, 0)
        self._states = [State()]
        """What holds at this stop: without an edit, and after each one."""
        self._tokens = itertools.count(1)
        self._previews: dict[int, tuple[PreviewEdit, EditPreview, State]] = {}
        self._journal: list[Edit] = []

    def arrive(self, state: State, boundary: Boundary) -> None:
        """Training waits at another stop: what was edited before is part of the past, and stays recorded as it was."""
        self._states, self._boundary = [state], boundary
        self._previews.clear()

    @property
    def state(self) -> State:
        """What is answered now."""
        return self._states[-1]

    def answer(self, query: PreviewEdit | ApplyEdit | UndoEdit) -> EditPreview | EditDone | Refusal:
        """What the edit would do, or has done."""
        match query:
            case PreviewEdit():
                return self._preview(query)
            case ApplyEdit(token=token, under=under):
                if token not in self._previews:
                    return Refusal("that preview is gone; preview the edit again")
                return self._apply(*self._previews.pop(token), under=under)
            case UndoEdit():
                return self._undo()

    def _preview(self, query: PreviewEdit) -> EditPreview | Refusal:
        answer, after = self._recording.edits_of(self.state).get(query, (None, None))
        if not isinstance(answer, EditPreview) or after is None:
            return answer if isinstance(answer, Refusal) else Refusal("the recording holds no such edit at this stop")
        preview = replace(answer, token=next(self._tokens))
        self._previews[preview.token] = (query, preview, after)
        return preview

    def _apply(self, query: PreviewEdit, preview: EditPreview, after: State, under: bool) -> EditDone:
        self._states.append(after)
        edit = Edit(
            len(self._journal) + 1,
            query.object,
            query.index,
            query.expression,
            preview.old,
            preview.new,
            self._boundary.index,
            self._boundary.update,
            where=preview.where,
            under=under and preview.saved,
        )
        self._journal.append(edit)
        return EditDone(edit)

    def _undo(self) -> EditDone | Refusal:
        for place in reversed(range(len(self._journal))):
            if not (edit := self._journal[place]).undone:
                if edit.boundary == self._boundary.index:
                    self._states.pop()
                self._journal[place] = replace(edit, undone=True, undone_at=self._boundary.index)
                return EditDone(self._journal[place])
        return Refusal("there is no edit to take back")
