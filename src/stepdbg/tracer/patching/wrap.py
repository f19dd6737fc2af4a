"""Wrappers in the place of functions of torch's and of the script's: they look like the original to whoever asks,
and stay out of tracebacks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch.jit import _builtins

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.patching import dynamo as compiler

_SCRIPT: Any = _builtins
"""What TorchScript knows of operators by the functions that stand for them."""


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Put a wrapper in the place of `owner.attribute`; `make` gets the original and gives the wrapper.

    Where torch has bound the name a second time (`torch.nn.utils.clip_grad_norm_`), that is to be set too.
    """
    original = getattr(owner, attribute)
    wrapper = wrapper_of(original, make(original))
    operator = _SCRIPT._find_builtin(original)  # TorchScript knows its operators by which object they are
    if operator is not None:
        _SCRIPT._register_builtin(wrapper, operator)
    setattr(owner, attribute, wrapper)


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
