"""The answers of the fake debuggee: those of the real tracer at this stop, of which what is asked for is cut out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from stepdbg.errors import FilterError, SliceError
from stepdbg.listing.effect_names import Newest
from stepdbg.listing.tree import Marked, Tree, figure_of
from stepdbg.protocol.messages import (
    ApplyEdit,
    Beside,
    Boundary,
    CheckWatch,
    Complete,
    EditDone,
    Effect,
    EffectNames,
    Evaluate,
    Find,
    Foresee,
    Graph,
    HeatMaps,
    History,
    HistoryPoint,
    ListEffects,
    ListLocals,
    ListObjects,
    Locals,
    LookAt,
    LookAtMaps,
    LookBeside,
    Objects,
    Order,
    PreviewEdit,
    Query,
    ReadGraph,
    ReadHistory,
    Refusal,
    Result,
    Save,
    Side,
    Summaries,
    Summarise,
    Summary,
    TensorView,
    UndoEdit,
    WatchChecked,
)
from stepdbg.testing import python, watching
from stepdbg.testing.editing import Editor
from stepdbg.testing.looking import Numbers, found_in, maps_of, numbers_of, part_of, window_of
from stepdbg.testing.recording import WHOLE, Place, Recording, State, whole_graph, whole_map, whole_tensor
from stepdbg.testing.saving import save

One = TypeVar("One")


class Known:
    """What was answered in one state, by question."""

    def __init__(self, recording: Recording, state: State) -> None:
        self.state = state
        self.answers = recording.answers_of(state)

    @cached_property
    def tree(self) -> Tree:
        """The rows of all that is listed."""
        return Tree(self.objects.rows)

    @cached_property
    def objects(self) -> Objects:
        """All that is listed."""
        found = self.answers[ListObjects()]
        assert isinstance(found, Objects)
        return found

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """The figures of every row, by name."""
        found = next(answer for answer in self.answers.values() if isinstance(answer, Summaries))
        return {row.object: row for row in found.rows}

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What the phase done did."""
        return tuple(e for answer in self.answers.values() if isinstance(answer, EffectNames) for e in answer.effects)

    @cached_property
    def tensors(self) -> dict[str, Sequence[float]]:
        """The numbers of every tensor, by name."""
        views = [one for one in self.answers.values() if isinstance(one, TensorView) and one.side == "now"]
        return {view.object: numbers_of(view).values for view in views}

    def view(self, name: str, side: Side = "now") -> TensorView | None:
        """A tensor, whole; None where it is not there, or has no such side."""
        found = self.answers.get(whole_tensor(name, side))
        return found if isinstance(found, TensorView) else None

    # facts, for the tree

    def figures(self, names: Sequence[str], order: Order) -> list[float | None]:
        """Of each of these tensors the figure that such an order goes by."""
        return [figure_of(self.summaries.get(name), order) for name in names]

    def has_grad(self, name: str) -> bool:
        """Whether a gradient hangs on it."""
        summary = self.summaries.get(name)
        return summary is not None and summary.grad_norm is not None

    def marks(self) -> Marked:
        """What the phase done did, by name."""
        return Marked(self.effects)


class Replay:
    """Answers every question at the stop where training waits."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._known = Known(recording, State())
        self._editor = Editor(recording)
        self._newest = Newest()
        self._boundary = self._updates = self._epochs = 0
        self._at: Boundary | None = None
        self.readonly = False

    def arrive(self, place: Place, boundary: Boundary, updates: int, epochs: int) -> None:
        """Training waits at that place.

        Args:
            place: The stop that was recorded.
            boundary: Which one that is here.
            updates: So many further than the recorded one.
            epochs: Likewise.
        """
        self._boundary, self._updates, self._epochs = boundary.index, updates, epochs
        self._at = boundary
        self._editor.arrive(place.state, boundary)
        self._newest.keep(boundary.index, self.known.effects)

    @property
    def known(self) -> Known:
        """What was answered here, with the edits that were made here."""
        if self._known.state is not self._editor.state:
            self._known = Known(self._recording, self._editor.state)
        return self._known

    def answer(self, query: Query) -> Result:
        """The answer; a `Refusal` where there is none."""
        try:
            answer = self._answer(query)
        except (FilterError, SliceError) as refused:
            return Refusal(str(refused))
        if answer is None:
            return Refusal(f"{getattr(query, 'object', '') or 'the answer'} is not there at this stop")
        return answer if isinstance(answer, EditDone) else moved_on(answer, self._updates, self._epochs)

    def _answer(self, query: Query) -> Result | None:
        known = self.known
        match query:
            case ListObjects():
                return known.tree.answer(query, known.objects.registry, (self._boundary, id(known)), known)
            case Summarise(objects=names):
                return Summaries(tuple(known.summaries[name] for name in names if name in known.summaries))
            case LookAt(object=name, side=side):
                view = known.view(name, side) or known.view(name)
                return part_of(view, query) if view is not None else None
            case LookAtMaps():
                maps = maps_of(query, lambda name, side: self._map(name, query.slice, side))
                return maps or Refusal(f"{' and '.join(query.objects)} has no numbers to draw at this stop")
            case LookBeside(parts=parts):
                return self._beside(query, parts)
            case Find(object=name, side=side, where=where):
                view = known.view(name, side) or known.view(name)
                return found_in(numbers_of(view).sliced(where), query) if view is not None else None
            case Save():
                return save(query, known.tensors)
            case ListEffects():
                return self._newest.window(query) or Refusal("their names are not kept any more")
            case Foresee():
                return known.answers.get(query) or known.answers.get(replace(query, element=None))
            case PreviewEdit() | ApplyEdit() | UndoEdit():
                if self.readonly and isinstance(query, PreviewEdit):
                    return Refusal("this session is read-only; start it without --readonly to edit")
                return self._editor.answer(query)
            case ReadGraph(top=top, rows=rows):
                graph = known.answers.get(whole_graph(query.object, query.opened))
                if not isinstance(graph, Graph):
                    return graph
                top = max(0, min(top, graph.total - 1))
                return replace(graph, top=top, rows=graph.rows[top : top + rows])
            case Evaluate(source=source) if self.readonly:
                return Refusal("this session is read-only, and Python can change anything")
            case Evaluate(frame=frame, source=source):
                return python.evaluate(source, self._variables(frame))
            case Complete(frame=frame, text=text):
                return python.complete(text, list(self._variables(frame)))
            case ReadHistory(object=name):
                updates = range(1, self._at.update if self._at is not None else 1)
                points = tuple(HistoryPoint(update, 1.0 / update, 0.01) for update in updates)
                return History(name.removesuffix(".grad"), points)
            case CheckWatch(expression=expression) if self._at is not None:
                return WatchChecked(watching.value(0, expression, self._at))
            case _:
                return known.answers.get(query)

    def _variables(self, frame: int) -> dict[str, object]:
        found = self.known.answers.get(ListLocals(frame))
        return python.variables_of(found) if isinstance(found, Locals) else {}

    def _map(self, name: str, index: tuple[int, ...], side: Side) -> tuple[HeatMaps, Numbers] | None:
        view = self.known.view(name, side)
        whole = self.known.answers.get(whole_map(name, index, side))
        return (whole, numbers_of(view)) if view is not None and isinstance(whole, HeatMaps) else None

    def _beside(self, query: LookBeside, parts: tuple[tuple[str, Side], ...]) -> Beside:
        views = [self.known.view(name, side) for name, side in parts]
        shape = next((view.shape for view in views if view is not None), ())
        look = LookAt("", query.row, query.rows, query.column, 1)
        return Beside(
            parts,
            tuple(
                window_of(view, numbers_of(view).sliced(query.where), look) if view and view.shape == shape else None
                for view in views
            ),
        )


def moved_on(one: One, updates: int, epochs: int) -> One:
    """The same so many updates and epochs later; numbers in texts stay."""
    if not updates:
        return one
    further = {"update": updates, "opens": updates, "steps": updates, "epoch": epochs, "over": epochs,
               "registry": WHOLE * epochs}  # fmt: skip

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: inner + further[key] if key in further and type(inner) is int
                else {kind: made + updates for kind, made in inner.items()} if key == "made_in"
                else moved(inner)
                for key, inner in value.items()
            }  # fmt: skip
        return [*map(moved, value)] if isinstance(value, list | tuple) else value

    return msgspec.convert(moved(msgspec.to_builtins(one, builtin_types=(bytes,))), type(one))
