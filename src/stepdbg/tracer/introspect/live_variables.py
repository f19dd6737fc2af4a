"""The variables of a function while it runs, read and written without a trace.

Before Python 3.13 a function's frame has one dictionary for all who ask for its variables: `locals()` fills and returns
it, and so does `frame.f_locals`. A script may have kept it, as hyperparameters at the start of `train`; a look by way
of `f_locals` would fill it anew with the variables of today, and would hold them all until the function ends. There
the variables are therefore read where the interpreter keeps them, in the frame itself. CPython 3.11 and 3.12 never
change that layout within a minor version, and whether it is the one expected is tried out once, on a frame of our own.
From 3.13 on `f_locals` is a view that leaves nothing behind (PEP 667).
"""

from __future__ import annotations

import ctypes
import functools
import sys
from types import CellType, CodeType, FrameType
from typing import Any, NamedTuple

_POINTER = ctypes.sizeof(ctypes.c_void_p)
_INTERPRETERS_FRAME = 3 * _POINTER
"""The offset at which a frame object (`PyFrameObject`) points to the interpreter's own frame
(`_PyInterpreterFrame`)."""


class _Layout(NamedTuple):
    """Offsets in a `_PyInterpreterFrame`, in bytes."""

    code: int
    global_variables: int
    dictionary: int
    """The address of the dictionary that `locals()` has made; NULL before."""
    slots: int
    """The addresses of the variables, cells and free variables, one after the other."""


_LAYOUTS = {
    (3, 11): _Layout(code=4 * _POINTER, global_variables=_POINTER, dictionary=3 * _POINTER, slots=9 * _POINTER),
    (3, 12): _Layout(code=0, global_variables=3 * _POINTER, dictionary=5 * _POINTER, slots=9 * _POINTER),
}

_STACK_LAYOUTS = {**_LAYOUTS, (3, 13): _LAYOUTS[3, 12]}
"""Those in which the stack holds plain addresses: up to Python 3.13."""


def read(frame: FrameType) -> dict[str, Any]:
    """The variables of a function's frame that are bound, by name."""
    layout = _layout()
    if layout is None:
        return _read_through_f_locals(frame)
    names, cells = _slots(frame.f_code)
    slots: Any = (ctypes.py_object * len(names)).from_address(_interpreters_frame(frame) + layout.slots)
    found: dict[str, Any] = {}
    for place, name in enumerate(names):
        try:
            value = slots[place]
            if name in cells and type(value) is CellType:
                value = value.cell_contents
        except ValueError:  # not bound yet, or no more
            continue
        found[name] = value
    return found


def find(frame: FrameType, name: str, default: object) -> Any:
    """The value of one variable of a function's frame; `default` where it has none of that name, or it is not bound."""
    layout = _layout()
    if layout is None:
        return read(frame).get(name, default)
    names, cells = _slots(frame.f_code)
    if name not in names:
        return default
    slot: Any = ctypes.py_object.from_address(_interpreters_frame(frame) + layout.slots + names.index(name) * _POINTER)
    try:
        value = slot.value
        return value.cell_contents if name in cells and type(value) is CellType else value
    except ValueError:  # not bound yet, or no more
        return default


def assign(frame: FrameType, name: str, value: object) -> None:
    """Give a function's variable another value while the function runs.

    Before 3.13 the interpreter takes it from that dictionary, which is afterwards as it was.
    """
    if sys.version_info >= (3, 13):
        frame.f_locals[name] = value
        return
    cached = _dictionary(frame)
    before = dict(cached) if cached is not None else {}
    everything = frame.f_locals
    everything[name] = value
    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
    everything.clear()
    everything.update(before)


def on_the_stack(frame: FrameType, place: int) -> Any:
    """The entry at a place of the stack on which a function computes, from 0: what it holds while it calls another.

    None where that cannot be told. It must be a place that is in use: there is nothing to tell.
    """
    layout = _stack_layout()
    if layout is None or place < 0:
        return None
    slot = _interpreters_frame(frame) + layout.slots + (len(_slots(frame.f_code)[0]) + place) * _POINTER
    try:
        return ctypes.py_object.from_address(slot).value
    except ValueError:  # a null pointer
        return None


def names_of(code: CodeType) -> tuple[str, ...]:
    """The variables that a function has room for."""
    return _slots(code)[0]


@functools.lru_cache(maxsize=1024)
def _slots(code: CodeType) -> tuple[tuple[str, ...], frozenset[str]]:
    """The names in the order of their places, and which of them hold a cell (an argument may)."""
    plain = code.co_varnames
    names = (*plain, *(name for name in code.co_cellvars if name not in plain), *code.co_freevars)
    return names, frozenset((*code.co_cellvars, *code.co_freevars))


def _interpreters_frame(frame: FrameType) -> int:
    return ctypes.c_void_p.from_address(id(frame) + _INTERPRETERS_FRAME).value or 0


def _dictionary(frame: FrameType) -> dict[str, Any] | None:
    """What `locals()` has returned in that frame; None where nobody has asked."""
    layout = _layout()
    if layout is None:
        return None
    place = _interpreters_frame(frame) + layout.dictionary
    if not ctypes.c_void_p.from_address(place).value:
        return None
    slot: Any = ctypes.py_object.from_address(place)
    return slot.value  # type: ignore[no-any-return]


@functools.cache
def _layout() -> _Layout | None:
    """The layout of this interpreter; None where there is none to know, or it is not as expected."""
    layout = _LAYOUTS.get(sys.version_info[:2])
    if layout is None or sys.implementation.name != "cpython" or hasattr(sys, "getobjects"):
        return None
    return layout if _is_as_expected(layout) else None


@functools.cache
def _stack_layout() -> _Layout | None:
    """The layout of this interpreter, where its stack lies after the variables as expected; None where not."""
    layout = _STACK_LAYOUTS.get(sys.version_info[:2])
    if layout is None or sys.implementation.name != "cpython" or hasattr(sys, "getobjects") or "t" in sys.abiflags:
        return None
    probe = iter((layout,))
    for expected in probe:  # which lies on the stack meanwhile
        if not _is_as_expected(expected):
            return None
        frame = sys._getframe()
        first = _interpreters_frame(frame) + expected.slots + len(_slots(frame.f_code)[0]) * _POINTER
        return expected if ctypes.c_void_p.from_address(first).value == id(probe) else None
    return None


def _is_as_expected(layout: _Layout) -> bool:
    frame = sys._getframe()
    inside = _interpreters_frame(frame)
    offsets = (layout.code, layout.global_variables)
    pointers = [ctypes.c_void_p.from_address(inside + offset).value for offset in offsets]
    if pointers != [id(frame.f_code), id(frame.f_globals)]:
        return False
    first = ctypes.c_void_p.from_address(inside + layout.slots).value  # the argument
    return first == id(layout) and not ctypes.c_void_p.from_address(inside + layout.dictionary).value


def _read_through_f_locals(frame: FrameType) -> dict[str, Any]:
    found = frame.f_locals
    if sys.version_info >= (3, 13):
        return dict(found)
    copy = dict(found)
    if sys.getrefcount(found) <= 3:  # the frame's, ours, the argument's: else the user holds it
        found.clear()
    return copy
