"""How tensors are looked at so that nothing of the script's can tell: no mode, no profiler, no warning, no collection.

A script may run under modes and contexts that see or change every operator: `TorchFunctionMode` and `TorchDispatchMode`
(operator logs, FLOP counters, `DebugMode`, fake tensors, a default device), a `__torch_function__` of a tensor class,
profilers, `torch.jit.trace`, functorch's transforms, autocast, inference mode, forward-mode AD. They are all set aside
for a look, and put back as they were. Each is a state of the thread that looks. What is a state of the whole process is
left alone, since other threads compute meanwhile: the default dtype, deterministic algorithms.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any

import torch

_C: Any = torch._C

unseen = _C.DisableTorchFunction
"""A context without function modes and without the `__torch_function__` of tensor classes: in it attributes of tensors
can be asked for. It is what a boundary of a free run can afford."""


def observed() -> bool:
    """Whether anything sees operators just now that a plain tensor takes part in."""
    return bool(
        _C._is_torch_function_mode_enabled() or _C._len_torch_dispatch_stack() or _C._autograd._profiler_enabled()
    )


class Unobserved:
    """A context in which the thread's own state is as at the start of a program, but without autograd."""

    def __init__(self) -> None:
        self.gradients = False
        """Whether the script records for autograd where it stands."""
        self._undo = ExitStack()

    def __enter__(self) -> Unobserved:
        undo = self._undo
        try:
            undo.enter_context(unseen())  # first, since function modes see the switches of others
            self.gradients = torch.is_grad_enabled()
            if _C._autograd._profiler_enabled():
                _C._autograd._enable_record_function(False)
                undo.callback(_C._autograd._enable_record_function, True)
            if (tracing := _C._get_tracing_state()) is not None:
                _C._set_tracing_state(None)
                undo.callback(_C._set_tracing_state, tracing)
            if modes := take_dispatch_modes():
                undo.callback(put_dispatch_modes, modes)
            if layers := _take_layers():
                undo.callback(_put_layers, layers)
            if torch.is_inference_mode_enabled():
                undo.enter_context(_C._InferenceMode(False))
            _C._set_grad_enabled(False)
            undo.callback(_C._set_grad_enabled, self.gradients)
            if _C._is_fwd_grad_enabled():
                _C._set_fwd_grad_enabled(False)
                undo.callback(_C._set_fwd_grad_enabled, True)
            if _C._is_any_autocast_enabled():  # (it would also remember a weight that was cast, without a gradient)
                undo.enter_context(_C._DisableAutocast())
        except BaseException:
            undo.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()


class WithoutAutograd:
    """A context without autograd, and nothing else: `torch.no_grad` takes several times as long."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = torch.is_grad_enabled()
        _C._set_grad_enabled(False)

    def __exit__(self, *_: object) -> None:
        _C._set_grad_enabled(self._before)


@contextmanager
def as_the_user() -> Iterator[None]:
    """Within `Unobserved`: what is typed into the console is the user's own code, with the meaning it has in theirs.

    Classes of tensors have their `__torch_function__` again, and new tensors the default device. What only looks on
    (modes that log or count) stays away, so that the log is that of the script.
    """
    modes = [_C._pop_torch_function_stack() for _ in range(_C._len_torch_function_stack())]
    placing = [mode for mode in reversed(modes) if type(mode).__name__ == "DeviceContext"]
    try:
        with _C._EnableTorchFunction():
            for mode in placing:
                _C._push_on_torch_function_stack(mode)
            try:
                yield
            finally:
                for _ in placing:
                    _C._pop_torch_function_stack()
    finally:
        for mode in reversed(modes):
            _C._push_on_torch_function_stack(mode)


def take_dispatch_modes() -> list[Any]:
    """Take all dispatch modes off, the lowest first.

    (`_disable_current_modes` of torch imports a tracer and its algebra, half a second, for whoever has no such mode.)
    """
    found = [_C._pop_torch_dispatch_stack(None) for _ in range(_C._len_torch_dispatch_stack())]
    return found[::-1]


def put_dispatch_modes(modes: list[Any]) -> None:
    """Put them on again."""
    for mode in modes:
        if getattr(mode, "_mode_key", None) is not None:
            _C._set_dispatch_mode(mode)
        else:
            _C._push_on_torch_dispatch_stack(mode)


def _take_layers() -> list[Any]:
    """Take the levels of functorch's transforms off (`vmap`, `grad`, `jvp`), the innermost first."""
    found = []
    while _C._functorch.peek_interpreter_stack() is not None:
        found.append(_C._functorch.pop_dynamic_layer_stack())
    return found


def _put_layers(layers: list[Any]) -> None:
    for layer in reversed(layers):
        _C._functorch.push_dynamic_layer_stack(layer)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without collections of garbage, and without a warning that anybody hears.

    What a look makes must not set off a collection, which would go over everything that the user's program holds, 0.1 s
    for a large model, and run their finalisers.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with _unheard():
            yield
    finally:
        if collects:
            gc.enable()


class _ThisThread:
    """Stands in a filter of warnings for a pattern of module names, and matches whatever this thread warns of."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def match(self, _: str) -> bool:
        return get_ident() == self._thread


@contextmanager
def _unheard() -> Iterator[None]:
    """What a look makes torch warn of is for nobody, and is warned of again when the script does it.

    `warnings.catch_warnings` will not do: it makes Python forget which of the script's warnings have been shown, and
    they would be shown anew. A list of filters that is only exchanged does not. torch itself keeps in mind what it
    has warned of once, unless it is to warn always.
    """
    always, filters = _C._get_warnAlways(), warnings.filters
    ours: Any = [("ignore", None, Warning, _ThisThread(), 0), *filters]
    _C._set_warnAlways(True)
    warnings.filters = ours
    try:
        yield
    finally:
        if warnings.filters is ours:
            warnings.filters = filters
        _C._set_warnAlways(always)
