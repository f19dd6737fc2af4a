"""What a node of the graph has saved for backward, and whether that has been changed since: looked at, never unpacked
through anybody's hook.

Reading `node._saved_x` unpacks: where a hook of `torch.autograd.graph.saved_tensors_hooks` is set, it runs (under
`torch.utils.checkpoint` that is a whole forward). So the hook is asked for first, on `node._raw_saved_x`, and what is
behind one is left alone. Without a hook unpacking copies nothing, and compares the version counter with the one from
when the tensor was saved: if they differ it raises, and its message holds both.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch

from stepdbg.protocol.messages import SavedForBackward, SavedState
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.tensors.readable import dtype_name

_RAW = "_raw_saved_"
_VERSIONS = re.compile(r"is at version (\d+); expected version (\d+)")
_CHECKPOINT = "torch.utils.checkpoint"
_TELLS_HOOKS = hasattr(torch._C._autograd.SavedTensor, "unpack_hook")
"""Whether torch tells of hooks: not before 2.7, where nothing is looked at, since it could run a hook."""

Names = Callable[[torch.Tensor], str]
"""What a tensor is called, or an empty string."""


class Kinds:
    """What the nodes of a class save: asked of each class once."""

    def __init__(self) -> None:
        self._labels: dict[type, tuple[str, ...]] = {}

    def labels(self, node: Any) -> tuple[str, ...]:
        """The names of what it saves: `self`, `mat1`."""
        kind = type(node)
        found = self._labels.get(kind)
        if found is None:
            found = tuple(name.removeprefix(_RAW) for name in dir(kind) if name.startswith(_RAW))
            self._labels[kind] = found
        return found

    def save_nothing(self, node: Any) -> bool:
        """Whether nodes of its class never save a tensor."""
        return not self.labels(node)


def saved_by(node: Any, kinds: Kinds, names: Names) -> Iterator[SavedForBackward]:
    """The tensors that a node has saved, in torch's own order.

    Args:
        node: Of the graph.
        kinds: What is known of its class.
        names: What tensors are called.
    """
    custom = isinstance(node, torch._C._FunctionBase)
    for label in kinds.labels(node):
        try:
            raw = getattr(node, _RAW + label)
        except RuntimeError:  # a custom Function after its backward
            yield SavedForBackward(label="saved tensors" if custom else label, state="freed")
            continue
        whole = functools.partial(getattr, node, "saved_tensors" if custom else f"_saved_{label}")
        if isinstance(raw, (tuple, list)):
            labels = [f"[{place}]" if custom else f"{label}[{place}]" for place in range(len(raw))]
            yield from _several(list(raw), labels, whole, names)
        else:
            yield from _several([raw], [label], whole, names)
    if custom:
        yield from _attributes(node, names)


def _several(raws: list[Any], labels: list[str], whole: Callable[[], Any], names: Names) -> Iterator[SavedForBackward]:
    """Tensors that can only be unpacked together: where one of them is behind a hook, the others are not compared."""
    if not _TELLS_HOOKS:
        yield from (
            SavedForBackward(label, "unknown", note="torch before 2.7 cannot tell of hooks") for label in labels
        )
        return
    hooks = [raw.unpack_hook for raw in raws]
    failure = "" if any(hook is not None for hook in hooks) else _failure(whole)
    for raw, label, hook in zip(raws, labels, hooks, strict=True):
        if hook is not None:
            yield SavedForBackward(label, "hooked", note=_hook_in_words(hook))
            continue
        data = raw.data
        if data is None:
            if failure is None or _VERSIONS.search(failure):
                continue  # there was nothing to be saved
            yield SavedForBackward(label, "freed")
            continue
        now = _version(data)
        state: SavedState = "kept"
        version: int | None = now
        if failure is None:
            pass
        elif len(raws) == 1 and (found := _VERSIONS.search(failure)):
            state, version, now = "changed", int(found[2]), int(found[1])
        else:
            state, version = _alone(raw, now)
        yield _described(SavedForBackward(label, state, version=version, now=now), data, names)


def _failure(unpack: Callable[[], Any]) -> str | None:
    """What unpacking says against it; None where it says nothing."""
    try:
        unpack()
    except RuntimeError as error:
        return str(error)
    return None


def _alone(raw: Any, now: int | None) -> tuple[SavedState, int | None]:
    """A saved tensor among several by itself: newer versions of torch can, but not for what a node has made."""
    unpack = getattr(raw, "unpack", None)
    if unpack is None:
        return "unknown", None
    failure = _failure(unpack)
    if failure is None:
        return "kept", now
    found = _VERSIONS.search(failure)
    return ("changed", int(found[2])) if found else ("unknown", None)


def _attributes(node: Any, names: Names) -> Iterator[SavedForBackward]:
    """What the author of a custom Function has put onto `ctx` itself."""
    attributes = object.__getattribute__(node, "__dict__")
    for name, value in list(attributes.items()):
        if is_a(value, torch.Tensor):
            now = _version(value)
            yield _described(SavedForBackward(f"ctx.{name}", "unwatched", now=now), value, names)


def _described(saved: SavedForBackward, data: torch.Tensor, names: Names) -> SavedForBackward:
    with torch._C.DisableTorchFunctionSubclass():
        return SavedForBackward(
            label=saved.label,
            state=saved.state,
            shape=tuple(data.shape),
            dtype=dtype_name(data.dtype),
            version=saved.version,
            now=saved.now,
            object=names(data),
        )


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _hook_in_words(hook: object) -> str:
    """Which hook it is behind."""
    if type(hook) is not FunctionType:  # asking anything else for its name may run the user's code
        return "behind a hook"
    if hook.__module__ == _CHECKPOINT:
        return "recomputed in backward (checkpoint)"
    return f"behind the hook {hook.__qualname__.rpartition('<locals>.')[2]}"
