"""Wrappers around torch's functions: they say that a phase begins, call through, and say that it has ended.

Each bears the file name of `frames.INVISIBLE_FILE` and takes itself out of the tracebacks that pass through it. What it
does before and after the call is caught if it fails, since the objects of a script may be anything: then the boundary
is given up (`Tracer.gave_up`), and the script has what it has without us. In what
`torch.compile` compiles they do nothing: its tracer knows `is_dynamo_compiling()` to be true and sees the call alone.
(`torch.compiler.is_compiling()` asks both that are asked here, in two more calls, at each boundary of a free run.)
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import compiler as compiling
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import optimized_by
from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.patching import dynamo as compiler
from stepdbg.tracer.phases.tracker import Phase

if TYPE_CHECKING:
    from stepdbg.tracer.stops.tracer import Tracer


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Put a wrapper in the place of `owner.attribute`; `make` gets the original and gives the wrapper."""
    original = getattr(owner, attribute)
    setattr(owner, attribute, wrapper_of(original, make(original)))


def wrapper_of(original: Any, wrapper: Callable[..., Any]) -> Any:
    """The wrapper, looking like the original to whoever asks, and stepped over by the compiler's tracer."""
    found = functools.wraps(original)(frames.invisible(wrapper))
    compiler.step_over(wrapper.__code__)
    return found


def wrap_once(kind: type, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Wrap what that class itself defines, if it does and is not wrapped yet."""
    code = getattr(vars(kind).get(attribute), "__code__", None)
    if code is not None and code.co_filename != frames.INVISIBLE_FILE:
        wrap(kind, attribute, make)


def as_phase(
    tracer: Tracer,
    name: str,
    done: Callable[[str, tuple[Any, ...], dict[str, Any], Any], None] | None = None,
) -> Callable[[Any], Callable[..., Any]]:
    """Makes wrappers for functions that are one phase each.

    Args:
        tracer: Where the boundaries go.
        name: The phase.
        done: Is told the function's name, its arguments and what it has returned, phase or not.
    """

    def make(original: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            phase = None
            try:
                phase = tracer.begin(name) if tracer.admits(name) else None
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            try:
                if done is not None and tracer.listening():
                    with unseen():
                        done(original.__name__, args, kwargs, result)
                if phase is not None:
                    tracer.end(phase)
            except Exception as error:
                tracer.gave_up(error)
            return result

        return call

    return make


def leave(tracer: Tracer, phase: Phase | None, error: BaseException) -> None:
    """An exception passes through a wrapper: end its phase, and take the wrapper's frame out of the traceback.

    The caller re-raises with a bare `raise`, which adds no frame of its own.
    """
    try:
        if isinstance(error, torch.OutOfMemoryError):
            tracer.give_back()
        if phase is not None:
            tracer.broke(phase)
    except Exception as fault:
        tracer.gave_up(fault)
    without_wrapper(error)


def without_wrapper(error: BaseException) -> None:
    """Take the innermost frame, a wrapper's, out of an exception's traceback.

    (By the method of all exceptions: a class of the user's may forbid that attributes are set, as frozen data classes
    do.)
    """
    traceback = error.__traceback__
    if traceback is not None:
        BaseException.with_traceback(error, traceback.tb_next)


_keys: dict[int, tuple[weakref.ref[Optimizer], int]] = {}
"""Of the optimizers that were asked for, by their own `id`."""


def key_of(optimizer: Any) -> int | None:
    """What tells one optimizer from another: which parameters it held when it was first seen. None for what is none.

    By that a wrapper counts as what it wraps, and two optimizers that take turns over the same parameters as one; but
    one over the parameters of two models is told from one that holds the first model's alone.
    """
    if not issubclass(type(optimizer), Optimizer):
        return None
    known = _keys.get(id(optimizer))
    if known is not None and known[0]() is optimizer:
        return known[1]
    held = _held_by(optimizer)
    key = held[0] if held else id(optimizer)
    for other, taken in [(one(), taken) for one, taken in _keys.values()]:
        if other is not None and taken == key:
            if set(_held_by(other)) == set(held):
                break
            key = id(optimizer)
    _keys[id(optimizer)] = (weakref.ref(optimizer, functools.partial(_forget, id(optimizer))), key)
    return key


def _held_by(optimizer: Optimizer) -> list[int]:
    """The `id` of each parameter."""
    try:
        return [id(parameter) for parameter in optimized_by(optimizer)]
    except Exception:  # groups of the user's own making
        return []


def _forget(key: int, _: Any) -> None:
    _keys.pop(key, None)
