"""What a training script may call: `loop`, `phase`, `breakpoint` and `watch`.

Outside a session each is a few bytecodes (budget: 1 µs a call). Inside one the tracer puts itself into `tracer`; this
module never imports it, so that a script which merely mentions stepdbg loads nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from stepdbg.errors import LoopError

P = ParamSpec("P")
R = TypeVar("R")


class Tracer(Protocol):
    """What the tracer offers to the public names."""

    muted: bool
    """True while nothing is to be made into boundaries."""

    def drive(self, generator: Generator[object, Any, Any]) -> Any: ...
    def enter_phase(self, name: str) -> None: ...
    def leave_phase(self) -> None: ...
    def stop_here(self) -> None: ...
    def watch(self, name: str, value: object) -> None: ...


tracer: Tracer | None = None
"""Set by the tracer when it is installed; None outside a session."""


class Loop(Generic[P]):
    """A generator function that runs as a training loop when it is called.

    Calling it runs the loop to its end and returns what the generator returns, under plain `python` and under stepdbg
    alike. `generator(...)` gives the bare generator.
    """

    def __init__(self, function: Callable[P, Iterator[Any]]) -> None:
        self._function = function
        functools.update_wrapper(self, function)

    def generator(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        """The bare generator, which runs nothing until it is advanced."""
        return self._function(*args, **kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run the loop to its end.

        Returns:
            What the generator returns.

        Raises:
            LoopError: it yielded something that is no string.
        """
        __tracebackhide__ = True
        generator = self._function(*args, **kwargs)
        if not isinstance(generator, Generator):
            raise LoopError(f"{self._function.__qualname__} has no yield: @stepdbg.loop needs a generator function")
        try:
            return run(generator) if tracer is None else tracer.drive(generator)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else _BoundLoop(self, instance)


class _BoundLoop:
    """A `Loop` that is a method, bound to its object."""

    def __init__(self, loop: Loop[...], instance: object) -> None:
        self._loop = loop
        self._instance = instance
        functools.update_wrapper(self, loop)

    def generator(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._loop.generator(self._instance, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._loop(self._instance, *args, **kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise


def loop(function: Callable[P, Iterator[Any]]) -> Loop[P]:
    """Make a generator function that yields the name of the phase that comes next into a training loop."""
    return Loop(function)


def run(generator: Generator[object, Any, R]) -> R:
    """Advance a loop to its end with nobody watching.

    Raises:
        LoopError: it yielded something that is no string.
    """
    try:
        while True:
            check_phase(next(generator), generator)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        raise


def check_phase(name: object, generator: Generator[object, Any, Any]) -> str:
    """The name that a loop yielded.

    Raises:
        LoopError: it is no string; says where.
    """
    if isinstance(name, str) and name:
        return name
    frame = getattr(generator, "gi_frame", None)
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "a loop"
    raise LoopError(f"{where} yields {name!r}; a training loop yields the name of the phase that comes next, a string")


class phase:
    """`with stepdbg.phase("ema"):` marks a phase of one's own; does nothing outside a session."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        if tracer is not None:
            tracer.enter_phase(self._name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if tracer is not None:
            tracer.leave_phase()


def breakpoint() -> None:
    """Stop here, when a session is there to stop; does nothing outside one."""
    if tracer is not None:
        tracer.stop_here()


def watch(name: str, value: object) -> None:
    """Draw a value over the updates, as a line of that name beside the losses; does nothing outside a session.

    Args:
        name: What the line is called.
        value: A number, or a tensor of one element. One on a GPU is read when it is there, and not waited for.
    """
    if tracer is not None:
        tracer.watch(name, value)
