"""Wrappers in the place of functions of torch's and of the script's: they look like the original to whoever asks,
and stay out of tracebacks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.patching import dynamo as compiler

_SCRIPT: Any = getattr(torch.jit, "_builtins", None)
"""What TorchScript knows of operators by the functions that stand for them: torch's own, which it may take away."""


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Put a wrapper in the place of `owner.attribute`; `make` gets the original and gives the wrapper.

    Where torch has bound the name a second time (`torch.nn.utils.clip_grad_norm_`), that is to be set too.
    """
    original = getattr(owner, attribute)
    wrapper = wrapper_of(original, make(original))
    _known_to_script(original, wrapper)
    setattr(owner, attribute, wrapper)


def _known_to_script(original: Any, wrapper: Any) -> None:
    """TorchScript knows its operators by which object they are: the wrapper is that operator too."""
    find, register = (getattr(_SCRIPT, name, None) for name in ("_find_builtin", "_register_builtin"))
    if find is not None and register is not None and (operator := find(original)) is not None:
        register(wrapper, operator)


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


def without_wrapper(error: BaseException) -> None:
    """Take the innermost frame, a wrapper's, out of an exception's traceback.

    (By the method of all exceptions: a class of the user's may forbid that attributes are set, as frozen data classes
    do.)
    """
    traceback = error.__traceback__
    if traceback is not None:
        BaseException.with_traceback(error, traceback.tb_next)
