"""Into a backward, by gradients: a stop where that of a parameter has arrived, in the order of arrival; by operators, a
stop after each node of the graph, with the gradients that it was given and those that it has worked out.

The graph is walked where torch starts its engine; not where nothing but breakpoints name parameters: these alone get
hooks then. A parameter gets a hook that runs once its `.grad` is written (it
counts as no reference, so that a gradient which is taken over as it is, is taken over as ever), a node one that runs
after it; both are gone when the engine returns. Gradients on a GPU arrive in a thread of the engine's, while the
training thread waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling

from stepdbg.protocol import messages as m
from stepdbg.tracer.objects.other_threads import GradientHook, gradient, hook_gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.patching.wrap import without_wrapper, wrapper_of
from stepdbg.tracer.stepping.describe import describe_tensors
from stepdbg.tracer.tensors.autograd_nodes import walked
from stepdbg.tracer.tensors.readable import shape_of

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside, NamedUnit

_autograd: Any = torch.autograd


class GradientHooks:
    """The gradients of a backward."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._plain: Any = None
        """What was in the place of the wrapper."""
        self._wrapper: Any = None
        self._hooked: list[_Hooked] = []
        """The graphs that are gone through: a reentrant checkpoint goes through one inside another."""
        self._named: Mapping[int, NamedUnit] = {}
        """The parameters that breakpoints name, by `id`."""

    def enter(self) -> None:
        """Have the engine's start seen."""
        phase = self._inside.phase
        if phase is not None and phase.name == "backward" and self._inside.points.any_in("backward"):
            self._named = self._inside.points.parameters()
            if not (self._named or self._inside.stepping):
                return
        self._plain = _autograd._engine_run_backward
        self._wrapper = self._wrapped(self._plain)
        _autograd._engine_run_backward = self._wrapper

    def ordered(self) -> None:
        """Have all gradients seen, if those are to be stepped by, and nodes."""
        if self._inside.stepping:
            for hooked in self._hooked:
                hooked.hook_all()
        if self._inside.stepped_by("operator"):
            for hooked in self._hooked:
                hooked.hook_nodes()

    def ends(self) -> None:
        """Nothing is left to show."""

    def leave(self) -> None:
        """See no more."""
        if _autograd._engine_run_backward is self._wrapper:
            _autograd._engine_run_backward = self._plain
        for hooked in self._hooked:
            hooked.unhook()

    def _wrapped(self, original: Any) -> Any:
        way, inside = self, self._inside

        def _engine_run_backward(t_outputs: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or inside.phase is None or not inside.sees():
                return original(t_outputs, *args, **kwargs)
            hooked = _Hooked(inside, t_outputs, sys._getframe(), way._named, tuple(way._hooked))
            way._hooked.append(hooked)
            way.ordered()
            try:
                return original(t_outputs, *args, **kwargs)
            except BaseException as error:
                without_wrapper(error)
                raise
            finally:
                way._hooked.remove(hooked)
                hooked.unhook()

        return wrapper_of(original, _engine_run_backward)


class _Hooked:
    """A graph whose nodes and leaves are hooked, from its outputs to its leaves; or of which breakpoints name some.

    Args:
        inside: The phase that is stepped into.
        outputs: Where the engine starts.
        frame: That calls it.
        named: The parameters that breakpoints name, by `id`.
        around: The graphs that it is part of what they do: its leaves that are no parameters are inputs of that part.
    """

    def __init__(
        self,
        inside: Inside,
        outputs: Any,
        frame: FrameType,
        named: Mapping[int, NamedUnit],
        around: tuple[_Hooked, ...],
    ) -> None:
        self._inside = inside
        self._outputs = outputs
        self._frame: FrameType | None = frame
        self._named = named
        self._around = around
        self._nodes: list[Any] = []
        self._total = 0
        """The number of leaves; 0 where not all are hooked from the start."""
        self._arrived = 0
        self._leaves: set[int] = set()
        """The leaves that are hooked, by `id`."""
        self._hooks: list[GradientHook] = []
        self._handles: list[Any] = []
        """The hooks of nodes."""
        if inside.stepping:
            self.hook_all()
            self._total = len(self._leaves)
        else:
            self._hook([leaf for one in named.values() if (leaf := one.ref()) is not None and leaf.requires_grad])

    def hook_all(self) -> None:
        """Stop after the gradient of each leaf of the graph that has not arrived yet."""
        if self._outputs is None:
            return
        self._nodes, leaves = walked(self._outputs)
        self._outputs = None
        if self._around:
            leaves = [leaf for leaf in leaves if isinstance(leaf, torch.nn.Parameter)]
        self._hook(leaves)

    def _hook(self, leaves: list[torch.Tensor]) -> None:
        for leaf in leaves:
            if any(id(leaf) in one._leaves for one in (self, *self._around)):
                continue
            hook = hook_gradient(leaf, partial(self._gradient, had=gradient(leaf) is not None))
            if hook is not None:
                self._leaves.add(id(leaf))
                self._hooks.append(hook)

    def hook_nodes(self) -> None:
        """Stop after each node that has not run yet, too."""
        nodes, self._nodes = self._nodes, []
        for node in nodes:
            self._handles.append(node.register_hook(partial(self._node, node.name(), node._sequence_nr())))

    def unhook(self) -> None:
        """Leave everything as it was."""
        for hook in self._hooks:
            hook.take_away()
        for handle in self._handles:
            handle.remove()
        self._hooks, self._handles, self._nodes, self._frame, self._outputs = [], [], [], None, None

    def _gradient(self, leaf: torch.Tensor, *, had: bool) -> None:
        """The gradient of a leaf of the graph has been written."""
        self._arrived += 1
        place, total = (self._arrived, self._total) if self._total else (0, 0)
        named = self._named.get(id(leaf))

        def describe(registry: Registry) -> m.Inner:
            name = next((name for name, one in registry.alive.items() if one.tensor is leaf), "")
            name = name or f"a leaf of the graph, {_shape(leaf)}"
            grad = gradient(leaf)
            described, left_out = describe_tensors(registry, name, [("gradient", grad)], [("value", leaf)])
            how = "gone" if grad is None else "added" if had else "written"
            return m.Inner("gradient", name, "", "", described, left_out, place=place, total=total, how=how)  # type: ignore[arg-type]

        self._inside.stop("gradient", "", describe, self._frame, named)

    def _node(self, name: str, number: int, computed: Any, given: Any) -> None:
        """A node of the graph has run."""
        inside = self._inside
        if not inside.stepped_by("operator"):
            return

        def describe(registry: Registry) -> m.Inner:
            described, left_out = describe_tensors(
                registry, name, [("computed", _one(computed))], [("arrived", _one(given))]
            )
            return m.Inner("node", name, within=inside.made.get(number, ""), tensors=described, left_out=left_out)

        inside.stop("node", name, describe, self._frame)


def _one(values: Any) -> Any:
    """A single gradient by itself; None stands for those that nobody needs."""
    present = tuple(value for value in values if value is not None)
    return present[0] if len(present) == 1 else present


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, shape_of(tensor))) or "a number"
