"""An answer that comes while the dialog that asked is being left, whose parts are gone before it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness.deadline import deadline
from textual.app import App
from textual.widgets import Input, Static

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import BreakpointChecked, EditPreview, Refusal, WatchChecked, WatchValue
from stepdbg.tui.dialogs.breakpoint import BreakpointDialog
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.dialogs.edit import EditDialog
from stepdbg.tui.dialogs.place import Surroundings
from stepdbg.tui.dialogs.run_to import RunToDialog
from stepdbg.tui.dialogs.watch import WatchDialog
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.files.formats import Choice
from stepdbg.tui.files.save_dialog import SaveDialog
from stepdbg.tui.state.selection import Editable


class Question:
    """Is answered when it is told to be, and knows whether it was asked."""

    def __init__(self, answer: object) -> None:
        self.asked, self._told, self._answer = asyncio.Event(), asyncio.Event(), answer

    async def __call__(self, _: object) -> Any:
        self.asked.set()
        await self._told.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    @property
    def told(self) -> bool:
        return self._told.is_set()

    def answer(self) -> None:
        self._told.set()


class AnswersAsItGoes(Static):
    """A part of the dialog; the answer comes at the moment when this one is taken away."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def on_unmount(self) -> None:
        self._question.answer()


def breakpoint_of(question: Question, _: Path) -> Dialog[Any]:
    return BreakpointDialog("step", (), 3, Glyphs(), Surroundings(question))


def run_to_of(question: Question, _: Path) -> Dialog[Any]:
    return RunToDialog("", lambda: (3, None), Glyphs(), Surroundings(question))


def watch_of(question: Question, _: Path) -> Dialog[Any]:
    return WatchDialog("", (), Glyphs(), question)


def edit_of(question: Question, _: Path) -> Dialog[Any]:
    return EditDialog(Editable("model.fc1.weight", (0, 0)), question, lambda: None, Glyphs())


def save_of(question: Question, directory: Path) -> Dialog[Any]:
    choices = [Choice("tensor", "npy", "the tensor, for NumPy", "weight")]
    return SaveDialog(choices, directory, lambda _: "weight.npy", question, Glyphs())


DIALOGS = {
    "breakpoint": (breakpoint_of, "if loss > 2", BreakpointChecked("before step if loss > 2", value="false")),
    "breakpoint refused": (breakpoint_of, "if loss > 2", Refusal("training has ended")),
    "run to": (run_to_of, "loss < 0.1", BreakpointChecked("before backward if loss < 0.1", value="false")),
    "watch": (watch_of, "loss", WatchChecked(WatchValue(1, 0.5))),
    "edit": (edit_of, "0.5", EditPreview(1, "model.fc1.weight", (0, 0), "0.1", "0.5")),
    "edit refused": (edit_of, "0.5", Refusal("no such name")),
    "save": (save_of, "weight.npy", "saved weight.npy"),
    "save refused": (save_of, "weight.npy", StepdbgError("the disk is full")),
}
"""What makes the dialog, what is typed into its field, and what is answered."""


@pytest.mark.parametrize("first", [True, False], ids=["among the first", "among the last"])
@pytest.mark.parametrize("name", DIALOGS)
async def test_an_answer_to_a_dialog_that_is_being_left_is_let_go(name: str, first: bool, tmp_path: Path) -> None:
    make, typed, answer = DIALOGS[name]
    question = Question(answer)
    async with App[None]().run_test() as pilot, asyncio.timeout(deadline(20)):
        pilot.app.push_screen(dialog := make(question, tmp_path))
        await pilot.pause()
        dialog.query_one(Input).value = typed
        dialog.query_one(Input).focus()
        if isinstance(dialog, (EditDialog, SaveDialog)):  # the others ask as it is typed, and enter would leave them
            await pilot.press("enter")
        await question.asked.wait()
        await dialog.query_one("#box").mount(AnswersAsItGoes(question), before=0 if first else None)
        dialog.dismiss(None)
        await pilot.pause()
        assert question.told
        assert len(pilot.app.screen_stack) == 1
