"""Whether an exception that passes a call of torch's will be caught on its way out.

Asked while all outer frames are still there, each standing at the call through which the exception will come. For each,
from the inside out, it is read from its bytecode what may come out of it: `handlers_in_code`. Where that is not certain
the exception counts as one that may be caught.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import multiprocessing.process
import sys
import threading
from collections.abc import Sequence
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from stepdbg.tracer.introspect.live_variables import on_the_stack, read
from stepdbg.tracer.introspect.mentioned import mentioned
from stepdbg.tracer.unwinding.handlers_in_code import Caught, Kind, TypeName, has_run, outcomes
from stepdbg.tracer.unwinding.managers import comes_out

NO_FAILURES = (StopIteration, StopAsyncIteration, GeneratorExit, SystemExit)
"""Exceptions that end a loop, a generator or a script as it is meant to end."""
_DEFAULTS = ("getattr", "hasattr")
"""Functions of C that take an AttributeError for an answer."""
_DEEP = 16
"""Generators of context managers within each other that are looked into."""
_UNKNOWN = object()


def catcher(error: BaseException, frame: FrameType | None) -> FrameType | None:
    """The first frame on the way out that may end this exception, be it by what it calls; None where none does.

    Args:
        error: The exception, which is a failure.
        frame: The frame that it comes to next.
    """
    first = type(error)
    kinds: frozenset[Kind] = frozenset((first,))
    answers = AttributeError in type.mro(first)
    while frame is not None:
        code = frame.f_code
        if answers and _may_be_an_answer(frame):
            return frame
        if code.co_exceptiontable:
            if _ends_here(code):
                return None
            kinds = frozenset().union(*(_out_of(frame, kind) for kind in kinds))
            if Caught in kinds or not kinds:
                return frame
        frame = frame.f_back
    return None


def torn_down(error: BaseException, traceback: TracebackType | None) -> tuple[tuple[str, int], ...]:
    """The lines of the frames that an exception has left in which a `finally`, a `with` or a clause has run for it:
    file and line, outermost first.

    Args:
        error: The exception.
        traceback: Its own.
    """
    found = []
    while traceback is not None:
        frame, place = traceback.tb_frame, traceback.tb_lasti
        if frame.f_code.co_exceptiontable and has_run(frame.f_code, place, type(error), _InFrame(frame, 0)):
            found.append((frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return tuple(found)


def _out_of(frame: FrameType, kind: Kind, deep: int = 0) -> frozenset[Kind]:
    """What may come out of a frame in which an exception of that class is raised."""
    if deep > _DEEP:
        return frozenset((kind, Caught))
    return outcomes(frame.f_code, frame.f_lasti, kind, _InFrame(frame, deep))


class _InFrame:
    """Answers what only the frame knows."""

    def __init__(self, frame: FrameType, deep: int) -> None:
        self._frame, self._deep = frame, deep

    def matches(self, kind: Kind, names: Sequence[TypeName]) -> bool | None:
        """Whether an exception of that class is one of those that a clause names, as Python itself tells: by the order
        of its bases, whatever a class says of its instances.
        """
        certain = True
        for name in names:
            found = self._found(name)
            for one in found if type(found) is tuple else (found,):
                if one is _UNKNOWN or not issubclass(type(one), type):
                    certain = False
                elif any(one is base for base in type.mro(kind)):
                    return True
        return False if certain else None

    def exits(self, kind: Kind, depth: int) -> frozenset[Kind]:
        """What comes out of the context manager whose `__exit__` lies under so many entries of the frame's stack."""
        exit = on_the_stack(self._frame, depth - 1)
        return comes_out(exit, kind, lambda inner, of: _out_of(inner, of, self._deep + 1))

    def _found(self, name: TypeName) -> Any:
        """What such a name stands for, with no code of anybody's run; `_UNKNOWN` where that cannot be told."""
        frame = self._frame
        variables = read(frame) if frame.f_code.co_flags & inspect.CO_OPTIMIZED else frame.f_locals
        if name.variable in variables:
            value = variables[name.variable]
        elif name.variable in frame.f_globals:
            value = frame.f_globals[name.variable]
        else:
            value = vars(builtins).get(name.variable, _UNKNOWN)
        for attribute in name.attributes:
            if type(value) is not ModuleType:
                return _UNKNOWN
            value = vars(value).get(attribute, _UNKNOWN)
        return value


def _may_be_an_answer(frame: FrameType) -> bool:
    """Whether an AttributeError that comes to that frame may be an answer: that there is no such attribute."""
    code, place = frame.f_code, frame.f_lasti
    name = next((one.opname for one in dis.get_instructions(code) if one.offset == place), "CALL")
    if "ATTR" in name or "METHOD" in name:
        return True
    return any(mention.variable in _DEFAULTS for mention in mentioned(code, place))


def _ends_here(code: CodeType) -> bool:
    """Whether an exception that comes to that code ends its thread or process: what lies there catches it to say so."""
    if any(code is one for one in _ENDS):
        return True
    spawn = sys.modules.get("torch.multiprocessing.spawn")
    return spawn is not None and code is getattr(getattr(spawn, "_wrap", None), "__code__", None)


_of_threads: Any = threading.Thread
_of_processes: Any = multiprocessing.process.BaseProcess
_ENDS = (_of_threads._bootstrap_inner.__code__, _of_processes._bootstrap.__code__)
