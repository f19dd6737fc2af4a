"""What a context manager does with an exception that leaves its `with`: passed on, raised as another, or swallowed.

Told from its `__exit__` by what that is, with none of it run.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections import deque
from collections.abc import Callable
from dis import Instruction
from types import BuiltinMethodType, CodeType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any

from stepdbg.tracer.unwinding.handlers_in_code import Another, Caught, Kind, instructions_of

InFrame = Callable[[FrameType, Kind], frozenset[Kind]]
"""What comes out of a frame in which an exception of that class is raised."""

_CONTEXTS: Any = contextlib
_GENERATOR_EXIT = _CONTEXTS._GeneratorContextManager.__exit__
_SUPPRESS_EXIT = contextlib.suppress.__exit__
_STACK_EXIT = contextlib.ExitStack.__exit__
_OF_C = (
    "_io",
    "_thread",
    "builtins",
    "mmap",
    "posix",
    "select",
    "_socket",
    "_multiprocessing",
    "sqlite3",
    "torch",
    "torch._C",
)
"""Modules whose classes have an `__exit__` in C, which swallows nothing: files, locks, guards of torch's."""
_HARMLESS = frozenset(
    (
        ("multiprocessing.synchronize", "SemLock.__exit__"),
        ("tempfile", "_TemporaryFileWrapper.__exit__"),
        ("threading", "Condition.__exit__"),
    )
)
"""Functions that return something of which it is known that it is false: module and name."""
_NOTHING = (None, False)
_MADE_LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_DEEP = 32
"""Managers within managers that are looked into."""


def comes_out(exit: object, kind: Kind, in_frame: InFrame, deep: int = 0) -> frozenset[Kind]:
    """What comes out of a `with` that an exception of that class leaves; `Caught` among it where it may be swallowed.

    Args:
        exit: The manager's bound `__exit__`.
        kind: The class of the exception.
        in_frame: Says what comes out of a frame.
        deep: How many managers this one is part of.
    """
    passed, unknown = frozenset((kind,)), frozenset((kind, Caught))
    if deep > _DEEP:
        return unknown
    if type(exit) is FunctionType:  # a callback of an exit stack
        return passed if _returns_nothing(exit.__code__) else unknown
    if type(exit) is BuiltinMethodType:
        return passed if _is_of_c(exit.__self__) else unknown
    if type(exit) is not MethodType:
        return unknown
    function, manager = exit.__func__, exit.__self__
    if function is _GENERATOR_EXIT:
        generator = _attribute(manager, "gen")
        frame = generator.gi_frame if type(generator) is GeneratorType else None
        return in_frame(frame, kind) if frame is not None else unknown
    if function is _SUPPRESS_EXIT:
        swallowed = _attribute(manager, "_exceptions")
        if kind is Another or type(swallowed) is not tuple:
            return unknown
        return frozenset((Caught,)) if any(one in type.mro(kind) for one in swallowed) else passed
    if function is _STACK_EXIT:
        callbacks = _attribute(manager, "_exit_callbacks")
        found: set[Kind] = {kind}
        for entry in reversed(callbacks) if type(callbacks) is deque else ((True, None),):
            found = set().union(*(comes_out(entry[1], one, in_frame, deep + 1) for one in found - {Caught})) | (
                found & {Caught}
            )
        return frozenset(found)
    if type(function) is FunctionType:
        if (function.__module__, function.__qualname__) in _HARMLESS:
            return passed
        return passed if _returns_nothing(function.__code__) else unknown
    return passed if _is_of_c(manager) else unknown


def _attribute(manager: object, name: str) -> Any:
    """An attribute that an instance keeps as such."""
    try:
        return object.__getattribute__(manager, "__dict__").get(name)
    except AttributeError:
        return None


def _is_of_c(manager: object) -> bool:
    """Whether the class that defines the manager's `__exit__` is one of those written in C."""
    owner = next((one for one in type.mro(type(manager)) if "__exit__" in vars(one)), object)
    module = type.__getattribute__(owner, "__module__")
    return type(module) is str and (module in _OF_C or module.startswith("torch._C."))


@functools.lru_cache(maxsize=256)
def _returns_nothing(code: CodeType) -> bool:
    """Whether a function returns None or False wherever it returns, or whether its first argument, a class, is None."""
    if code.co_flags & _MADE_LATER:  # generators and coroutines
        return False
    instructions, _ = instructions_of(code)
    first = code.co_varnames[1] if code.co_argcount > 1 else ""
    for at, one in enumerate(instructions):
        if one.opname == "RETURN_CONST" and not any(one.argval is nothing for nothing in _NOTHING):
            return False
        if one.opname == "RETURN_VALUE" and not _is_nothing(instructions[max(0, at - 3) : at], first):
            return False
    return True


def _is_nothing(before: list[Instruction], first: str) -> bool:
    """Whether what these instructions have left is None or False."""
    if before and before[-1].opname == "LOAD_CONST" and any(before[-1].argval is nothing for nothing in _NOTHING):
        return True
    asked = [(one.opname[:9], one.argval) for one in before]
    return asked == [("LOAD_FAST", first), ("LOAD_CONS", None), ("IS_OP", 0)]  # `return exc_type is None`
