"""Questions and their answers: what travels from a client through the hub to a rank, and back."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Message
from stepdbg.protocol.messages.breakpoints import BreakpointChecked, CheckBreakpoint
from stepdbg.protocol.messages.console import Complete, Completions, Evaluate, Evaluated, ListLocals, Locals
from stepdbg.protocol.messages.edits import ApplyEdit, EditDone, EditPreview, PreviewEdit, UndoEdit
from stepdbg.protocol.messages.effects import EffectNames, ListEffects
from stepdbg.protocol.messages.foresight import Foresee, Foresight
from stepdbg.protocol.messages.graph import Graph, ReadGraph
from stepdbg.protocol.messages.identity import Identify, Identity
from stepdbg.protocol.messages.images import HeatMaps, LookAtMaps, LookAtPictures, Pictures
from stepdbg.protocol.messages.objects import ListObjects, Objects, Summaries, Summarise
from stepdbg.protocol.messages.optimizers import ListOptimizers, Optimizers
from stepdbg.protocol.messages.past import (
    ListStops,
    PastStop,
    ReadPhase,
    ReadSource,
    ReadStop,
    Recall,
    SourceText,
    Stops,
)
from stepdbg.protocol.messages.tensors import Beside, Find, Found, LookAt, LookBeside, Save, Saved, TensorView
from stepdbg.protocol.messages.watches import CheckWatch, History, ReadHistory, WatchChecked


class Refusal(Message, frozen=True):
    """Why there is no answer, with the remedy, in one or two sentences."""

    problem: str


HubQuery = ReadSource | ListStops | ReadStop | ReadPhase | Recall
"""Questions that the hub answers by itself, whatever the rank does."""
Query = (
    ListObjects
    | Summarise
    | LookAt
    | LookAtMaps
    | LookAtPictures
    | LookBeside
    | Find
    | ListEffects
    | ListOptimizers
    | Foresee
    | Identify
    | ReadGraph
    | PreviewEdit
    | ApplyEdit
    | UndoEdit
    | Save
    | HubQuery
    | ListLocals
    | Evaluate
    | Complete
    | CheckBreakpoint
    | CheckWatch
    | ReadHistory
)
Result = (
    Objects
    | Summaries
    | TensorView
    | HeatMaps
    | Pictures
    | Beside
    | Found
    | EffectNames
    | Optimizers
    | Foresight
    | Identity
    | Graph
    | EditPreview
    | EditDone
    | SourceText
    | Saved
    | Stops
    | PastStop
    | Locals
    | Evaluated
    | Completions
    | BreakpointChecked
    | WatchChecked
    | History
    | Refusal
)


class Ask(Message, frozen=True):
    """A question. From a client, `number` is the client's own; the hub renumbers it towards the rank."""

    number: int
    query: Query
    rank: int = 0


class Answer(Message, frozen=True):
    """What became of the `Ask` of that number."""

    number: int
    result: Result
