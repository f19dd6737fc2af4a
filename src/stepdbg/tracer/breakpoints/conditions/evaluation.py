"""An expression evaluated where training stands: nothing of the script's notices, and what is raised stays here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch

from stepdbg.tracer.breakpoints.arrival import Arrival, AtLine
from stepdbg.tracer.breakpoints.conditions.condition import Condition, Namespace, Words
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory, NotYet, Vocabulary
from stepdbg.tracer.breakpoints.owners import OwnerNames
from stepdbg.tracer.introspect.randomness import undisturbed_randomness
from stepdbg.tracer.introspect.unobserved import Unobserved, WithoutAutograd, as_the_user, observed, uncollected, unseen
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.python.console import nothing_stops
from stepdbg.tracer.python.interruptions import Interrupted

T = TypeVar("T")


class Problem(Exception):
    """An expression has raised; the text says what."""

    def __init__(self, what: str, *, endless: bool = False, early: bool = False) -> None:
        super().__init__(what)
        self.endless = endless
        """Whether it did not end by itself."""
        self.early = early
        """Whether it asks for what training has not made yet, as a loss before the first one."""


class Evaluation:
    """Evaluates expressions.

    Args:
        registry: Knows what is alive.
        owners: Knows it by name.
        evaluating: A context in which what takes too long is interrupted.
    """

    def __init__(
        self, registry: Registry, owners: OwnerNames, evaluating: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._registry, self._owners, self._evaluating = registry, owners, evaluating

    def value(
        self, what: Condition, at: Arrival | AtLine, memory: Memory, update: int | None, reading: Callable[[Any], T]
    ) -> T:
        """What an expression gives at a boundary, as it is read.

        Args:
            what: The expression.
            at: The boundary.
            memory: What the expression has kept from the times before, and keeps from this one.
            update: The update that is meant; None for that of the phase that comes.
            reading: Makes of what the expression gives what the caller wants; may run code of the script's.

        Raises:
            Problem: it has raised, or did not end.
        """
        return self._evaluated(what, at, memory, update, lambda words: reading(what.value(at.frame, words)))

    def truth(
        self,
        what: Condition,
        truth: Callable[[Namespace], T],
        at: Arrival | AtLine,
        memory: Memory,
        update: int | None,
        within: AbstractContextManager[Any],
        vocabulary: Callable[..., Vocabulary],
    ) -> T:
        """Whether an expression is true at a boundary, found out in another way than `value` does.

        Args:
            what: The expression.
            truth: Finds out whether it is true in a namespace.
            at: The boundary.
            memory: What the expression has kept from the times before, and keeps from this one.
            update: The update that is meant; None for that of the phase that comes.
            within: A context that it is evaluated in.
            vocabulary: Makes the words.

        Raises:
            Problem: it has raised, or did not end.
        """

        def reading(words: Words) -> T:
            with within:
                return truth(Namespace(at.frame, words, what))

        return self._evaluated(what, at, memory, update, reading, vocabulary)

    def _evaluated(
        self,
        what: Condition,
        at: Arrival | AtLine,
        memory: Memory,
        update: int | None,
        reading: Callable[[Words], T],
        vocabulary: Callable[..., Vocabulary] = Vocabulary,
    ) -> T:
        memory.begin()
        words = vocabulary(self._registry, self._owners, at, memory, update)
        try:
            if what.is_simple and nothing_around():
                with unseen(), WithoutAutograd():  # else torch warns of a number made of what requires a gradient
                    return reading(words)
            calm = undisturbed_randomness() if what.may_draw else nullcontext()
            with Unobserved(), as_the_user(), uncollected(), nothing_stops(), calm, self._evaluating():
                return reading(words)
        except Interrupted:
            raise Problem("it did not end, and was interrupted", endless=True) from None
        except NotYet as error:
            raise Problem(str(error), early=True) from None
        except BaseException as error:  # also what is no Exception: it is the expression's, not training's
            kind = "" if type(error) is LookupError else f"{type(error).__name__}: "  # our own words
            raise Problem(f"{kind}{_first_line(error)}") from None


def nothing_around() -> bool:
    """Whether nothing of the script's sees or changes what is computed here: no mode, profiler, autocast, transform."""
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    return not (transformed or observed() or torch._C._is_any_autocast_enabled())


def _first_line(error: BaseException) -> str:
    try:
        return str(error).partition("\n")[0] or "no reason given"
    except Exception:
        return "its text cannot be read"
