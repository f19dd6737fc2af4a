"""The training thread's stack as the user sees it: their own frames apart from the libraries'."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

import stepdbg
from stepdbg.protocol.messages import Frame
from stepdbg.tracer.introspect import live_variables

INVISIBLE_FILE = "<stepdbg: importlib._bootstrap>"
"""The file name that the code of our wrappers bears. CPython (3.11 to 3.14) leaves frames out of the counting of
`warnings.warn(stacklevel=…)` whose file name holds both `importlib` and `_bootstrap`; so a warning of torch's that
passes through a wrapper names the same line of the user's as without it."""

_OURS = os.path.dirname(os.path.abspath(stepdbg.__file__)) + os.sep
_LIBRARIES = tuple(
    {
        os.path.abspath(path) + os.sep
        for key in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_paths().get(key))
    }
)


def invisible(function: Any) -> Any:
    """The function, with the file name that `INVISIBLE_FILE` says."""
    function.__code__ = function.__code__.replace(co_filename=INVISIBLE_FILE)
    return function


@functools.lru_cache(maxsize=4096)
def origin(file: str) -> str:
    """Whose a file is: `user`, `library`, or `stepdbg`."""
    if file == INVISIBLE_FILE or (file == "<frozen runpy>" and driven()) or file.startswith(_OURS):
        return "stepdbg"
    if file.startswith("<"):
        return "library"
    path = os.path.abspath(file)
    if file == getattr(sys.modules.get("__main__"), "__file__", None):  # `python -m package.train`, be it installed
        return "user"
    if path.startswith(_LIBRARIES) or f"{os.sep}site-packages{os.sep}" in path:
        return "library"
    return "user"


@functools.cache
def driven() -> bool:
    """Whether the program is `stepdbg.tracer.drive`: then the frames that started it are none of the user's."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return getattr(spec, "name", "") == "stepdbg.tracer.drive"


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the user's own, from `frame` outwards."""
    while frame is not None and origin(frame.f_code.co_filename) != "user":
        frame = frame.f_back
    return frame


def innermost() -> FrameType:
    """The frame of who calls this."""
    return sys._getframe(1)


def calling(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is not ours, be it the user's or a library's."""
    while frame is not None and origin(frame.f_code.co_filename) == "stepdbg":
        frame = frame.f_back
    return frame


def calls(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    """What runs from that frame outwards: each function's code, with the offset of the instruction at which it is."""
    while frame is not None:
        yield frame.f_code, frame.f_lasti
        frame = frame.f_back


def user_calls(frame: FrameType | None) -> tuple[tuple[CodeType, int], ...]:
    """The same of the user's own functions alone, innermost first."""
    return tuple(call for call in calls(frame) if origin(call[0].co_filename) == "user")


def stack(frame: FrameType | None) -> list[FrameType]:
    """All frames but ours and the interpreter's own, innermost first."""
    found = []
    while frame is not None:
        file = frame.f_code.co_filename
        if origin(file) != "stepdbg" and not file.startswith("<frozen"):
            found.append(frame)
        frame = frame.f_back
    return found


def in_functional_call(frame: FrameType | None) -> bool:
    """Whether that frame lies inside `torch.func.functional_call`, which lends a model other tensors for one call."""
    code = getattr(getattr(sys.modules.get("torch.nn.utils.stateless"), "_functional_call", None), "__code__", None)
    while code is not None and frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def line_after(frame: FrameType | None) -> int | None:
    """The line that runs when the call of ours which that frame has made returns: the next one in its code.

    Where a branch or the end of a loop comes between, that is a guess. None where none follows, and where not that
    frame but a library's makes the call.
    """
    if frame is None or calling(sys._getframe(1)) is not frame:
        return None
    here = frame.f_lineno or 0
    for start, _, line in frame.f_code.co_lines():
        if start > frame.f_lasti and line is not None and line > here:
            return line
    return None


def describe(frames: list[FrameType], lines: dict[int, int] | None = None) -> tuple[Frame, ...]:
    """The frames as they are sent; `lines` overrides the line of a frame, by its `id` (a traceback's lines)."""
    return tuple(
        Frame(
            file=os.path.abspath(frame.f_code.co_filename),
            line=(lines or {}).get(id(frame), frame.f_lineno or 0),
            function=frame.f_code.co_name,
            library=origin(frame.f_code.co_filename) == "library",
        )
        for frame in frames
    )


def traceback_frames(traceback: TracebackType | None) -> tuple[list[FrameType], dict[int, int]]:
    """The frames of a traceback, innermost first, and the line that failed in each."""
    frames, lines = [], {}
    while traceback is not None:
        if origin(traceback.tb_frame.f_code.co_filename) != "stepdbg":
            frames.append(traceback.tb_frame)
            lines[id(traceback.tb_frame)] = traceback.tb_lineno
        traceback = traceback.tb_next
    return frames[::-1], lines


def without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback with our frames cut out of it."""
    remaining = []
    while traceback is not None:
        if origin(traceback.tb_frame.f_code.co_filename) != "stepdbg":
            remaining.append(traceback)
        traceback = traceback.tb_next
    rest = None
    for one in reversed(remaining):  # in a loop, since a recursion without end may have made it a thousand deep
        rest = TracebackType(rest, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return rest


def whole_traceback(traceback: TracebackType | None, frame: FrameType | None) -> TracebackType | None:
    """The traceback as it will be once an exception has left all frames, of one that comes to that frame next; with our
    frames cut out of it.
    """
    whole = without_ours(traceback)
    while frame is not None:
        if origin(frame.f_code.co_filename) != "stepdbg":
            whole = TracebackType(whole, frame, frame.f_lasti, frame.f_lineno or frame.f_code.co_firstlineno)
        frame = frame.f_back
    return whole


def local_variables(frame: FrameType) -> dict[str, Any]:
    """The frame's variables, read without leaving a trace; of a module or a class, a copy of its namespace."""
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return live_variables.read(frame)
    return dict(frame.f_locals)


def local_variable(frame: FrameType, name: str, default: object) -> Any:
    """The value of one of the frame's variables, read without leaving a trace; `default` where there is none."""
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return live_variables.find(frame, name, default)
    return frame.f_locals.get(name, default)


def scopes(frames: list[FrameType]) -> Iterator[dict[str, Any]]:
    """The variables to look a name up in: each user frame's, innermost first, then their modules' and `__main__`."""
    modules: list[dict[str, Any]] = []
    for frame in frames:
        if origin(frame.f_code.co_filename) != "user":
            continue
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            yield local_variables(frame)
        if not any(frame.f_globals is seen for seen in modules):
            modules.append(frame.f_globals)
    main = sys.modules.get("__main__")
    if main is not None and not any(vars(main) is seen for seen in modules):
        modules.append(vars(main))
    yield from modules


def library_scopes(frames: list[FrameType]) -> Iterator[dict[str, Any]]:
    """The variables of the libraries' frames, innermost first: they show what is alive, and name nothing."""
    for frame in frames:
        if origin(frame.f_code.co_filename) == "library" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            yield local_variables(frame)


def place_of(error: BaseException) -> str:
    """File and line where an exception was raised; `?` where it never was."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
