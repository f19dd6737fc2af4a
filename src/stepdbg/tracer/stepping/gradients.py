"""Into a backward, by gradients: a stop where that of a parameter has arrived, in the order of arrival; by operators, a
stop after each node of the graph, with the gradients that it was given and those that it has worked out.

The graph is walked where torch starts its engine. A parameter gets a hook that runs once its `.grad` is written (it
counts as no reference, so that a gradient which is taken over as it is, is taken over as ever), a node one that runs
after it; both are gone when the engine returns. Gradients on a GPU arrive in a thread of the engine's, while the
training thread waits for it.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch.compiler import is_compiling

from stepdbg.protocol import messages as m
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.patching.wrap import without_wrapper, wrapper_of
from stepdbg.tracer.stepping.describe import describe_tensors
from stepdbg.tracer.tensors.autograd_nodes import walked
from stepdbg.tracer.tensors.readable import shape_of

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.host import Inside

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

    def enter(self) -> None:
        """Have the engine's start seen."""
        self._plain = _autograd._engine_run_backward
        self._wrapper = self._wrapped(self._plain)
        _autograd._engine_run_backward = self._wrapper

    def ordered(self) -> None:
        """Have nodes seen, if those are to be stepped by."""
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
            hooked = _Hooked(inside, t_outputs, sys._getframe(), nested=bool(way._hooked))
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
    """A graph whose nodes and leaves are hooked, from its outputs to its leaves.

    Args:
        inside: The phase that is stepped into.
        outputs: Where the engine starts.
        frame: That calls it.
        nested: It is part of what another graph does: its leaves that are no parameters are inputs of that part.
    """

    def __init__(self, inside: Inside, outputs: Any, frame: FrameType, *, nested: bool) -> None:
        self._inside = inside
        self._frame: FrameType | None = frame
        self._nodes, leaves = walked(outputs)
        if nested:
            leaves = [leaf for leaf in leaves if isinstance(leaf, torch.nn.Parameter)]
        self._total = len(leaves)
        self._arrived = 0
        self._handles: list[Any] = []
        self._bare = [leaf for leaf in leaves if leaf._post_accumulate_grad_hooks is None]
        """The nodes that had no such hook, and are left as they were."""
        for leaf in leaves:
            hook = partial(self._gradient, had=gradient(leaf) is not None)
            self._handles.append(leaf.register_post_accumulate_grad_hook(hook))  # type: ignore[no-untyped-call]

    def hook_nodes(self) -> None:
        """Stop after each node that has not run yet, too."""
        nodes, self._nodes = self._nodes, []
        for node in nodes:
            self._handles.append(node.register_hook(partial(self._node, node.name(), node._sequence_nr())))

    def unhook(self) -> None:
        """Leave everything as it was."""
        for handle in self._handles:
            handle.remove()
        for leaf in self._bare:
            if not leaf._post_accumulate_grad_hooks:
                leaf._post_accumulate_grad_hooks = None  # type: ignore[assignment]
        self._handles, self._bare, self._nodes, self._frame = [], [], [], None

    def _gradient(self, leaf: torch.Tensor, *, had: bool) -> None:
        """The gradient of a leaf of the graph has been written."""
        self._arrived += 1
        place, total = self._arrived, self._total

        def describe(registry: Registry) -> m.Inner:
            name = next((name for name, one in registry.alive.items() if one.tensor is leaf), "")
            name = name or f"a leaf of the graph, {_shape(leaf)}"
            grad = gradient(leaf)
            described, left_out = describe_tensors(registry, name, [("gradient", grad)], [("value", leaf)])
            how = "gone" if grad is None else "added" if had else "written"
            return m.Inner("gradient", name, "", "", described, left_out, place=place, total=total, how=how)  # type: ignore[arg-type]

        self._inside.stop("gradient", "", describe, self._frame)

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
