"""backward, and with it the loss: the tensor that `backward` is called on, whatever computed it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from threading import get_ident
from time import monotonic_ns
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import compiler as compiling
from torch.compiler import is_dynamo_compiling

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import optimized_by
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.trainers import closure_loss, outwards
from stepdbg.tracer.introspect.unobserved import Unobserved, observed, unseen
from stepdbg.tracer.objects.other_threads import BesideBackward
from stepdbg.tracer.objects.variable_names import expressions_for
from stepdbg.tracer.patching.wrap import wrap
from stepdbg.tracer.phases.loops import loops_of
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.sources.forward import Models
from stepdbg.tracer.sources.free_run import BACKWARD, NOTED
from stepdbg.tracer.sources.updates.manual_step import ManualSteps
from stepdbg.tracer.sources.updates.unscale_and_clip import Gradients
from stepdbg.tracer.sources.wrapping import leave

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_SCALINGS = ("DivBackward0", "MulBackward0")
"""What `loss / n` and `loss * n` leave in the graph."""
_SAME = ("ToCopyBackward0", "CloneBackward0", "AliasBackward0", "ViewBackward0", "SqueezeBackward0", "SumBackward0",
         "MeanBackward0")  # fmt: skip
"""What leaves a single number as it is."""
_REDUCED = {"MeanBackward0": "mean", "SumBackward0": "sum"}
"""What makes a single number of many."""
_FAR = 3
"""A loss is looked for so many operations behind the tensor that `backward` is called on."""
_COMPILER = ("_aot_autograd", "_dynamo", "_inductor")
"""Folders of torch's compiler, which differentiates what it traces."""

_is_functorchs = torch._C._functorch.is_functorch_wrapped_tensor
_transforms_are_active = torch._C._are_functorch_transforms_active
_function_modes_are_on = torch._C._is_torch_function_mode_enabled
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_profiled = torch._C._autograd._profiler_enabled
"""Calls of C, that say whether anybody would see the operator which reads a loss (`unobserved.observed`)."""


class _Name(NamedTuple):
    """What the loss is called at one place in the code."""

    name: str
    variable: bool
    """True where it is a variable's name, and `backward` is called on something made of it."""
    held: bool = True
    """Whether anything of the user's holds it."""


_NO_NAME = _Name("loss", variable=False, held=False)
"""The name of a loss that no variable holds."""
_NOR_THAT = _Name("model_loss", variable=False, held=False)
"""The name of such a loss where the user calls something else `loss`: as the registry would list it."""


class Backward:
    """`Tensor.backward`, `torch.autograd.backward`, `torch.autograd.grad`."""

    def __init__(self, tracer: Sink, models: Models, gradients: Gradients) -> None:
        self._tracer = tracer
        self._models = models
        self._gradients = gradients
        self._by_hand = ManualSteps(tracer)
        self._open = False
        tracer.following.at_fork.append(self._closed)
        self._names: dict[tuple[int, int], _Name] = {}
        """What the loss is called, by the place in the code where `backward` is called."""
        self._codes: list[CodeType] = []
        """The code objects whose `id` is used above: held, so that no other gets it."""

    def install(self) -> None:
        """Hook them."""
        wrap(torch.Tensor, "backward", self._wrapper)
        wrap(torch.autograd, "backward", self._wrapper)
        wrap(torch.autograd, "grad", self._grad)

    def _closed(self) -> None:
        """No call is open."""
        self._open = False

    def _wrapper(self, original: Any) -> Callable[..., Any]:
        hooks, tracer, log, tracker = self, self._tracer, self._tracer.free_run, self._tracer.tracker
        models, gradients = self._models, self._gradients

        def backward(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            phase: Phase | None = None
            beside: BesideBackward | None = None
            outermost, opened = not hooks._open, False
            try:
                if (
                    outermost
                    and (now := monotonic_ns()) < log.backward_due
                    and log.open is None
                    and len(log.notes) < log.most
                    and args
                    and type(loss := args[0]) is torch.Tensor
                    and not _function_modes_are_on()
                    and not loss.dim()
                    and loss.is_cpu
                    and not _transforms_are_active()
                    and not _dispatch_modes()
                    and not _is_profiled()
                    and gradients.scaled is None
                    and tracker.pending_backward
                    and not models.returned_number
                    and models.output is not None
                    and models.output() is not loss
                    and (known := hooks._names.get((id((frame := sys._getframe(1)).f_code), frame.f_lasti))) is not None
                    and not known.variable
                    and get_ident() == log.thread
                    and (log.still is None or log.still())
                    and (log.after_step is None or log.knows("backward", frame))
                    and type(value := loss.item()) is float
                    and ((holds := log.loss_holds) is None or (known.name == "loss" and not holds(value)))
                    and ((checks := log.checks) is None or checks.backward_may_begin(loss, value))
                ):  # the usual one, in a free run: see free_run.py
                    log.open, phase = "backward", NOTED
                    log.notes += ("backward", known.name, now)
                    log.losses.append(value)
                    log.loss = weakref.ref(loss), known.name
                    log.starts[BACKWARD] = now
                    tracker.pending_backward = False
                    hooks._open = opened = True
                elif get_ident() != log.thread and not tracer.following.moves_here("backward"):
                    with unseen():
                        beside = BesideBackward(args[0] if args else kwargs.get("tensors"))
                elif outermost and tracer.listening():
                    hooks._open = opened = True
                    with unseen():
                        phase = hooks._begin(args[0] if args else kwargs.get("tensors"))
            except Exception as error:
                tracer.gave_up(error)
            if beside is not None:
                with beside:
                    try:
                        return original(*args, **kwargs)
                    except BaseException as error:
                        leave(tracer, None, error)
                        raise
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                if opened:
                    hooks._open = False
            if phase is NOTED and log.phase is None and log.still is None:
                log.open = None
                log.notes.append(monotonic_ns())
                if log.checks is not None:
                    log.checks.ended("backward")
            elif phase is not None:
                tracer.ended(phase)
                if phase is not NOTED and phase.outer is None and hooks._by_hand.possible:
                    hooks._by_hand.expect(args[0] if args else kwargs.get("tensors"))
            return result

        return backward

    def _grad(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def grad(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            phase = None
            opened = False
            try:
                if not hooks._open and tracer.admits("backward") and not _compiling(sys._getframe(1).f_code):
                    hooks._open = opened = True
                    retained = bool(kwargs.get("create_graph") or kwargs.get("retain_graph"))
                    of, by = args[0] if args else kwargs.get("outputs"), args[1:2] or (kwargs.get("inputs"),)
                    with unseen():
                        phase = hooks._begin(of, retained=retained, inputs=by[0])
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                if opened:
                    hooks._open = False
            if phase is not None:
                tracer.ended(phase)
                if (
                    not hooks._after_derivative()
                    and phase is not NOTED
                    and phase.outer is None
                    and hooks._by_hand.possible
                ):
                    of = args[0] if args else kwargs.get("outputs")
                    inputs = args[1] if len(args) > 1 else kwargs.get("inputs")
                    hooks._by_hand.expect(of, inputs)
            return result

        return grad

    def _begin(self, of: Any, *, retained: bool = False, inputs: Any = None) -> Phase | None:
        tracer, phases = self._tracer, self._tracer.phases
        loss = next((tensor for tensor in of if tensor is not None), None) if isinstance(of, (tuple, list)) else of
        root = weakref.ref(loss) if is_a(loss, torch.Tensor) else None
        silent = self._derivative = False
        name: str | None = None
        tell: Callable[[int], None] | None = None
        checks = tracer.checks
        if checks.on and loss is not None and root is not None:
            checks.backward_begins(plain := self._gradients.unscaled(loss), scaled=plain is not loss)
        if type(loss) is torch.Tensor and not _is_functorchs(loss):
            if not phases.pending_backward:
                self._models.watch()
            unscaled = self._gradients.unscaled(loss)
            silent = self._models.made(unscaled) or (self._models.returned_number and _scaled(unscaled, self._models))
            loss, called = self._named(unscaled)
            if inputs is not None and self._is_derivative(inputs, called):
                self._derivative, name = True, ""
            else:
                name = called.name
                tell = partial(self._note_loss, loss, name)
        phase = None
        if not tracer.driving:
            self._by_hand.begins(of)
            if silent and phases.running is not None:
                phases.retract()
            else:
                silent = False
            tracer.registry.newest.at_backward = bool(name)
            try:
                phase = tracer.begin("backward", None, True, True, silent, tell=tell)
            finally:
                tracer.registry.newest.at_backward = False
            if phase is not NOTED:
                phase.loss, phase.on = name, root
        elif tell is not None:
            tell(phases.update)
        if not retained and not self._models.is_open:
            phases.pending_backward = False
        return phase

    def _note_loss(self, loss: torch.Tensor, name: str, update: int) -> None:
        """`backward` is about to be called on that tensor, or on what was made of it, in that update."""
        self._tracer.registry.newest.add_loss(weakref.ref(loss), name, update)
        if loss.numel() != 1 or loss.is_complex():
            self._tracer.losses.none(update)
            return
        with Unobserved() if observed() else nullcontext(), suppress(Exception):  # one without a value is in no chart
            self._tracer.losses.read(loss, name, update)

    def _after_derivative(self) -> bool:
        """`torch.autograd.grad` has returned: whether that was a derivative, from which the loss is made now."""
        tracer = self._tracer
        if not self._derivative:
            return False
        try:
            if tracer.tracker.pending_backward and tracer.phases.open is None and not tracer.driving:
                tracer.begin("loss", None, False, predicted=True)
        except Exception as error:
            tracer.gave_up(error)
        return True

    def _is_derivative(self, inputs: Any, called: _Name) -> bool:
        """Whether `torch.autograd.grad` is asked for what no step uses: by what else than weights, of what is no loss.

        Args:
            inputs: What the derivative is by.
            called: What that which is differentiated is called.
        """
        wanted = [
            one for one in (inputs if isinstance(inputs, (tuple, list)) else (inputs,)) if is_a(one, torch.Tensor)
        ]
        registry = self._tracer.registry
        if not (registry.has_optimizers or registry.models()) or any(is_a(one, torch.nn.Parameter) for one in wanted):
            return False
        if called.held and "loss" in called.name.lower():
            return False
        leaves = {id(one) for one in wanted if one.grad_fn is None}
        if not leaves and len(wanted) > 1:  # weights that were made from others, as by a step that is differentiated
            return False
        optimized = (id(one) for _, used in registry.optimizers() for one in optimized_by(used))
        return leaves.isdisjoint(optimized)

    def _named(self, tensor: torch.Tensor) -> tuple[torch.Tensor, _Name]:
        """The tensor that is the loss to the user, and its name: a variable's where it is, or was made of, one."""
        frame = sys._getframe(3)
        place = (id(frame.f_code), frame.f_lasti)  # a code object's own hash goes through all its constants
        known = self._names.get(place)
        by_user = known is not None
        if known is None:  # only places in the user's own code are kept
            users = frames.user_frame(frame)
            if users is not frame and (returned := closure_loss(outwards(frame))) is not None and returned[1] is tensor:
                return tensor, _Name(returned[0], variable=False)
            if users is None:
                return tensor, _NO_NAME
            by_user = users is frame
            frame, place = users, (id(users.f_code), users.f_lasti)
            known = self._names.get(place)
        if known is not None and not known.variable and (by_user or not known.held):
            return tensor, known
        variables = frames.local_variables(frame)
        if known is not None and not by_user and not _still_named(known, tensor, variables):
            known = None  # one call of a library's, that goes back from several losses
        if known is None:
            known = _find_name(tensor, variables, frame)
            if place not in self._names:
                if by_user and _goes_by_another(known, tensor, variables, frame):
                    return tensor, known
                self._codes.append(frame.f_code)
            self._names[place] = known
        found = variables.get(known.name) if known.variable else None
        return (found if isinstance(found, torch.Tensor) else tensor), known


def _still_named(known: _Name, tensor: torch.Tensor, variables: Mapping[str, Any]) -> bool:
    """Whether a tensor is what the name stood for when that place in the code was met last."""
    if known.variable or variables.get(known.name) is tensor:
        return True
    return not known.name.isidentifier() and known.name in expressions_for(variables, tensor)


def _goes_by_another(known: _Name, tensor: torch.Tensor, variables: Mapping[str, Any], frame: FrameType) -> bool:
    """Whether the line calls the tensor otherwise, and may go back from others by that name: `for loss in (a, b)`."""
    called = loops_of(frame.f_code).called_on(frame.f_lasti, "backward")
    return called is not None and called != known.name and variables.get(called) is tensor


def _find_name(tensor: torch.Tensor, variables: Mapping[str, Any], frame: FrameType) -> _Name:
    """The variable of that frame that holds the tensor, the expression that `backward` is called on, or the variable
    that the tensor was made of.
    """
    same = next((name for name, value in variables.items() if value is tensor and name != "_"), None)
    if same is not None:
        return _Name(same, variable=False)
    expression = loops_of(frame.f_code).called_on(frame.f_lasti, "backward")
    if expression is not None and expression in expressions_for(variables, tensor):
        return _Name(expression, variable=False)
    numbers = {
        name: value.grad_fn
        for name, value in variables.items()
        if type(value) is torch.Tensor and value.grad_fn is not None and value.numel() == 1
    }
    node = tensor.grad_fn
    for _ in range(_FAR):
        if node is None or node.name() not in (*_SCALINGS, *_SAME):  # a root or a logarithm is a loss of its own
            break
        behind = [other for other, _ in node.next_functions if other is not None]
        if len(behind) != 1:  # of a sum of several no single one is the loss
            break
        node = behind[0]
        found = next((name for name, other in numbers.items() if other is node), None)
        if found is not None:
            return _Name(found, variable=True)
    reduced = _REDUCED.get(tensor.grad_fn.name()) if tensor.grad_fn is not None else None
    if reduced is not None and tensor.grad_fn is not None:
        whole = tensor.grad_fn.next_functions[0][0]
        for name, value in variables.items():
            if whole is not None and type(value) is torch.Tensor and value.grad_fn is whole:
                return _Name(f"{name}.{reduced}()", variable=False)
    return _NOR_THAT if "loss" in variables or "loss" in frame.f_code.co_varnames else _NO_NAME


def _scaled(tensor: torch.Tensor, models: Models) -> bool:
    """Whether that tensor is a model's own output, divided or multiplied by a number."""
    node = tensor.grad_fn
    while node is not None and node.name() in _SCALINGS:
        behind = [other for other, _ in node.next_functions if other is not None]
        if len(behind) != 1:
            return False
        node = behind[0]
        if models.made_at(node):
            return True
    return False


def _compiling(code: CodeType) -> bool:
    return any(part in code.co_filename for part in _COMPILER)
