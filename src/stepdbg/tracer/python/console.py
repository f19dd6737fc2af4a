"""The console: Python of the user's, run in a frame of the stop in the training thread.

What it runs is the user's doing, be it that it changes a weight or draws a random number; what is not is kept away
from it: hooks make no boundaries meanwhile, no exception gets out, and it can be interrupted.
"""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import reprlib
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any, ClassVar

import torch

from stepdbg import api
from stepdbg.protocol.messages import Complete, Completions, Evaluate, Evaluated, Result
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.unobserved import as_the_user
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.completion import completions
from stepdbg.tracer.python.interruptions import Interrupted, Interruptions
from stepdbg.tracer.python.namespace import ConsoleNamespace
from stepdbg.tracer.python.shown_names import StandIns, runnable
from stepdbg.tracer.python.variables import Variables

MOST_OUTPUT = 40_000
"""Characters of output, and of a value, that are sent."""


class Console(Handler):
    """Evaluates, completes, is interrupted.

    Args:
        registry: Knows the model, the optimizer, the loss and the batch.
        variables: Knows the frames.
        interruptions: Let what never ends be interrupted.
    """

    answers = (Evaluate, Complete)
    changes = (Evaluate,)
    readonly: ClassVar = {
        Evaluate: "this session is read-only, and Python can change anything; start it without --readonly"
    }

    def __init__(self, registry: Registry, variables: Variables, interruptions: Interruptions) -> None:
        self.used = False
        """Whether anything was run at this stop."""
        self.gradients = True
        """Whether the frame at which training stands records for autograd."""
        self._registry = registry
        self._variables = variables
        self._interruptions = interruptions
        self._space = ConsoleNamespace()
        self._numbers = count(1)
        self._at_hand: dict[str, Callable[[], Any]] = {
            "model": lambda: _first(model for _, model in registry.models()),
            "optimizer": lambda: _first(optimizer for _, optimizer in registry.optimizers()),
            "loss": lambda: _first(loss for loss in (registry.newest.loss(),) if loss is not None),
            "batch": lambda: _first(batch for batch in (registry.newest.batch(),) if batch is not None),
            "torch": lambda: torch,
        }

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self.gradients = at.gradients

    def answer(self, query: Evaluate | Complete) -> Result:
        """What became of what was typed."""
        if isinstance(query, Evaluate):
            return self.evaluate(query.frame, query.source)
        return self.complete(query.frame, query.text)

    def close(self) -> None:
        """Training goes on: hold nothing but what the user has assigned."""
        self.used = False
        self._space.pop("_", None)
        self._space.leave()

    def complete(self, place: int, text: str) -> Completions:
        """What the name that the text ends with could go on as."""
        self._space.enter(self._variables.frame(place), self._at_hand)
        try:
            return completions(text, self._space)
        finally:
            self._space.leave()

    def evaluate(self, place: int, source: str) -> Evaluated:
        """Run what was typed; the last expression's value is told."""
        self.used = True
        frame = self._variables.frame(place)
        self._space.enter(frame, self._at_hand)
        output = _Captured()
        value = failure = ""
        passing = sys.exception()
        interrupted = False
        file = f"<console {next(self._numbers)}>"
        try:
            with nothing_stops(), _apart(output):
                source, stand_ins = self._runnable(source)
                self._space.enter(frame, {**self._at_hand, **stand_ins})
                linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
                value = self._run(source, file)
        except Interrupted:
            interrupted = True
        except BaseException as error:  # also a SystemExit: the session goes on
            failure = _traceback(error, passing)
        finally:
            linecache.cache.pop(file, None)
            note = self._space.note()
            self._space.leave()
        return Evaluated(value, output.text(), failure, note, interrupted)

    def _runnable(self, source: str) -> tuple[str, StandIns]:
        """What was typed, with the names that the stop shows as Python."""
        with as_the_user(), self._interruptions.possible():
            return runnable(source, self._registry.alive, lambda words: eval(words, self._space))

    def _run(self, source: str, file: str) -> str:
        tree = ast.parse(source, file)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        with as_the_user(), torch.set_grad_enabled(self.gradients), self._interruptions.possible():
            if tree.body:
                exec(compile(tree, file, "exec", dont_inherit=True), self._space)
            if not isinstance(last, ast.Expr):
                return ""
            value = eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), self._space)
            if value is None:
                return ""
            dict.__setitem__(self._space, "_", value)
            return _cut(_repr.repr(value))


_set_context: Any = vars(BaseException)["__context__"].__set__
"""Sets what an exception was raised in the midst of, whatever its class forbids."""


class _Captured(io.TextIOBase):
    """What is printed: the beginning of it, and how much more there was."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MOST_OUTPUT
        self._beyond = 0

    def writable(self) -> bool:
        return True

    def write(self, words: str, /) -> int:
        if self._room:
            self._parts.append(words[: self._room])
        self._beyond += max(0, len(words) - self._room)
        self._room = max(0, self._room - len(words))
        return len(words)

    def text(self) -> str:
        more = f"\n... and {self._beyond:,} characters more" if self._beyond else ""
        return "".join(self._parts) + more


class _Repr(reprlib.Repr):
    """`repr` as it is for what is of a size to be read; containers, dictionaries among them in their own order, are
    cut where they are not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 8
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = self.maxset = self.maxfrozenset = 200
        self.maxdeque = 200
        self.maxstring = self.maxlong = 4_000
        self.maxother = MOST_OUTPUT

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"
        entries = islice(x.items(), self.maxdict)
        inside = ", ".join(f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}" for key, value in entries)
        return f"{{{inside}{', ...' if len(x) > self.maxdict else ''}}}"

    def repr_instance(self, x: Any, level: int) -> str:
        return repr(x)  # what it raises is the user's to see


_repr = _Repr()


@contextlib.contextmanager
def nothing_stops() -> Iterator[None]:
    """What is called meanwhile is no phase of training."""
    tracer = api.tracer
    before = tracer.muted if tracer is not None else False
    if tracer is not None:
        tracer.muted = True
    try:
        yield
    finally:
        if tracer is not None:
            tracer.muted = before


@contextlib.contextmanager
def _apart(output: io.TextIOBase) -> Iterator[None]:
    """What is printed goes there; who reads, `input()` or a `breakpoint()`, meets the end of the input at once: the
    terminal belongs to the script.
    """
    standard = sys.stdin
    sys.stdin = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            yield
    finally:
        sys.stdin = standard


def _traceback(error: BaseException, passing: BaseException | None) -> str:
    """The traceback as Python prints it, with none of our frames in it.

    Args:
        error: The exception of what was typed.
        passing: The exception at which training has stopped while it is on its way: no part of what was typed.
    """
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is not None and one is not passing and id(one) not in seen:
            seen.add(id(one))
            if passing is not None and one.__context__ is passing:
                _set_context(one, None)
            one.__traceback__ = frames.without_ours(one.__traceback__)
            chain += [one.__cause__, one.__context__]
    return _cut("".join(traceback.format_exception(error)).rstrip())


def _cut(words: str) -> str:
    if len(words) <= MOST_OUTPUT:
        return words
    return f"{words[:MOST_OUTPUT]}\n... and {len(words) - MOST_OUTPUT:,} characters more"


def _first(candidates: Iterator[Any]) -> Any:
    for one in candidates:
        return one
    raise KeyError
