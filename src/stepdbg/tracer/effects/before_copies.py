"""What tensors were before a phase changed them, kept as copies: so that what it did can be looked at.

Only what a phase is likely to change is copied before it: what it has changed before, and what a phase of that name
usually changes, unless that has stayed the same a few times (of two optimizers each steps its own). And only while
somebody steps, within a share of the memory that is free. A copy is kept until its tensor is likely to be changed
again; so after `backward` the last update of a weight can still be seen. ‖Δw‖ / ‖w‖ of a step is the customary check
of a learning rate (around 1e-3 is healthy).
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal

import torch
from msgspec import Struct

from stepdbg.protocol.messages import Boundary, Change, Effect, Kind
from stepdbg.tracer.effects.differences import moved
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.fingerprints import small_bytes
from stepdbg.tracer.effects.free_memory import free_bytes
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.batched_norms import TAKEN, norms
from stepdbg.tracer.tensors.readable import Unreadable, local, unreadable
from stepdbg.tracer.tensors.statistics import norm

SHARE = 0.25
"""Of the free memory that copies may take."""
_USUAL = {
    "forward": ("buffer",),
    "eval": ("buffer",),
    "zero_grad": ("grad",),
    "backward": ("grad", "buffer"),
    "unscale": ("grad",),
    "clip": ("grad",),
    "step": ("parameter", "state", "buffer"),
    "loss": (),
    "data": (),
    "scheduler": (),
}
"""Kinds that a phase changes, where that has not been seen yet; of others it is all of these."""
_IDLE = 4
"""So many times in a row may a phase leave a tensor as it is until that is not copied before it any more."""
_ALL: tuple[Kind, ...] = ("parameter", "grad", "buffer", "state")
_CPU = torch.device("cpu")
_ONE = 8
"""Bytes of one real number, at most."""


class Kept(Struct, gc=False):
    """One tensor as it was. (A msgspec struct that no collector looks at: there may be a hundred thousand.)"""

    held: torch.Tensor | bytes
    """A copy; of a small tensor only its bytes, which takes no operation of torch's."""
    shape: torch.Size
    dtype: torch.dtype
    before: object
    """The fingerprint that it had."""
    after: object = None
    """The one that it got; None while it has not been changed."""
    phase: str = ""
    """Which phase did."""
    whose: Literal["call", "script", "both"] = "call"
    """Whether its call did, or what the script did after it."""
    update: int = 0
    change: Change | None = None
    """Worked out when asked for."""
    earlier: bytes | None = None
    """What a small parameter was before the step before, of which `before` is the outcome."""

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor as it was, made when it is first looked at."""
        held = self.held
        if isinstance(held, bytes):
            self.held = held = _of_bytes(held, self.shape, self.dtype)
        return held

    @property
    def stepped(self) -> bool:
        """Whether a step made it what it has become."""
        return self.phase == "step" and self.whose != "script"

    def bytes_on(self, device: torch.device) -> int:
        """The memory of that device that it takes."""
        held = self.held
        if isinstance(held, bytes):
            return len(held) + len(self.earlier or b"") if device.type == "cpu" else 0
        return held.nbytes if held.device == device else 0


class BeforeCopies:
    """The copies."""

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._kept: dict[str, Kept] = {}
        self._pending: set[str] = set()
        """Copied before the phase that runs."""
        self._habits: dict[str, set[str]] = {}
        """What each phase has changed."""
        self._idle: dict[str, dict[str, int]] = {}
        """How often in a row each phase has left a tensor as it was."""
        self._ratios: dict[str, tuple[object, float]] = {}
        """Fingerprint and ratio of a parameter after its last step; the copy may have been needed since."""
        self._too_big: dict[str, str] = {}
        """Why there is no copy."""
        self._picture: ObjectSnapshot = {}
        self._update = 0
        """The update that training was last seen in."""
        self._updates = 0
        """In so many it was seen since it found no memory."""
        self._elsewhere = False
        """Whether copies of what lies on a device have just been started."""

    @property
    def copied(self) -> set[str]:
        """What there is a copy of."""
        return set(self._kept)

    def before(self, phase: str | None, registry: Registry, picture: ObjectSnapshot) -> None:
        """That phase begins: copy what it is likely to change.

        Args:
            phase: Its name; None where nobody knows.
            registry: What is alive.
            picture: How everything looks now.
        """
        self._pending.clear()
        self._too_big.clear()
        wanted, known = dict.fromkeys(self._wanted(phase, picture)), self._kept
        for name in [
            name for name, kept in known.items() if name not in picture or (kept.after is None and name not in wanted)
        ]:
            del known[name]  # it tells of nothing that can still be seen, and will not
        left: dict[torch.device, int] = {}
        self._elsewhere = False
        alive = registry.alive
        for name in wanted:
            entry, mark = alive.get(name), picture.get(name)
            if entry is None or (tensor := entry.tensor) is None or mark is None or mark.print is None:
                continue
            kept, earlier = known.get(name), None
            if kept is not None:
                if kept.after is None and kept.before == mark.print:
                    self._pending.add(name)
                    continue
                if mark.kind == "parameter" and kept.stepped and kept.after == mark.print:
                    if isinstance(kept.held, bytes):
                        earlier = kept.held  # what the step has come to can be worked out when it is asked for
                    else:
                        self.ratio(name, tensor, mark.print)
            try:
                if (copy := self._copied(name, tensor, kept, left, registry.small.get(name))) is not None:
                    known[name] = Kept(copy, tensor.shape, tensor.dtype, mark.print, earlier=earlier)
                    self._pending.add(name)
            except (RuntimeError, TypeError, ValueError, Unreadable) as error:  # no memory after all, or no numbers
                known.pop(name, None)
                self._too_big[name] = f"what was before could not be kept: {unreadable(tensor, error)}"
        if self._elsewhere:
            devices.settle()  # a step on another stream must not overtake the copies

    def _copied(
        self, name: str, tensor: torch.Tensor, kept: Kept | None, left: dict[torch.device, int], small: bytes | None
    ) -> torch.Tensor | bytes | None:
        """A copy of that tensor, if possible in the memory of the one before; None where there is no room for it.

        Args:
            name: What it is called.
            tensor: Itself.
            kept: The copy from before.
            left: Bytes that copies may still take, by device; filled in where a device is met first.
            small: What it holds, if it is small and the picture at which training stands has read it.
        """
        small = small or small_bytes(tensor)
        if small is not None and (len(small) <= _ONE or tensor.dtype.is_complex) and _is_turned(tensor):
            small = None
        if small is not None:
            size, device = len(small), _CPU
        else:
            tensor, _ = local(tensor)
            size, device = tensor.nbytes, tensor.device
            self._elsewhere = self._elsewhere or device.type != "cpu"
            held = kept.held if kept is not None else None
            if isinstance(held, torch.Tensor) and _can_hold(held, tensor):
                return held.copy_(tensor)
        self._kept.pop(name, None)
        if device.type != "cpu" and size > self._left(device, left):
            device = _CPU  # training may come to need that memory: the host's will do
        if size > self._left(device, left):
            self._too_big[name] = _too_big(size, left[device], self.share)
            return None
        left[device] -= size
        if small is not None:
            return small
        with torch.inference_mode(False):  # a copy made in that mode could not be written again outside of it
            try:
                return torch.empty(tensor.shape, dtype=tensor.dtype, device=device).copy_(tensor)
            except torch.OutOfMemoryError:
                self._drop(device)
                left[device] = 0
                return torch.empty(tensor.shape, dtype=tensor.dtype, device=_CPU).copy_(tensor)

    def _left(self, device: torch.device, left: dict[torch.device, int]) -> int:
        """Bytes of that device that copies may still take. None of an accelerator in the first update: how much
        training will need of it is not known before one is over.
        """
        if device not in left:
            left[device] = self._budget(device) if device.type == "cpu" or self._updates > 1 else 0
        return left[device]

    def _drop(self, device: torch.device | None = None) -> None:
        """Keep no copies in the memory of that device, or of any but the CPU."""
        for name, kept in tuple(self._kept.items()):
            held = kept.held
            if isinstance(held, torch.Tensor) and (held.device == device if device else held.device.type != "cpu"):
                del self._kept[name]
                self._pending.discard(name)

    def out_of_memory(self) -> None:
        """Training has found no memory on a device: give back what copies take there."""
        self._drop()
        self._updates = 0

    def after(
        self, boundary: Boundary, before: ObjectSnapshot | None, picture: ObjectSnapshot, told: Sequence[Effect] = ()
    ) -> None:
        """A phase is done.

        Args:
            boundary: Where training stands.
            before: How everything looked before it; None where nobody looked.
            picture: How everything looks now.
            told: What has happened in between, by the phase's call and after it.
        """
        self._picture = picture
        self._updates = self._updates + (boundary.update != self._update)
        self._update = boundary.update
        if before is None or boundary.done is None:
            self._pending.clear()
            return
        known = before.get
        changed = {
            name
            for name, mark in picture.items()
            if (old := known(name)) != mark
            and mark.kind in _ALL
            and mark.print is not None
            and (old is None or old.print != mark.print)
        }
        later = {effect.object for effect in told if effect.after}
        called = {effect.object for effect in told if not effect.after} if later else set()
        for name in self._pending & changed:
            kept = self._kept[name]
            kept.after, kept.phase, kept.update = picture[name].print, boundary.done, boundary.update
            kept.whose = "call" if name not in later else "both" if name in called else "script"
        idle = self._idle.setdefault(boundary.done, {})
        for name in self._pending - changed:
            idle[name] = idle.get(name, 0) + 1
        for name in changed & idle.keys():
            del idle[name]
        for name in self._kept.keys() & (changed - self._pending):
            del self._kept[name]  # changed by what was not foreseen: the copy is of an earlier state
        self._pending.clear()
        self._habits.setdefault(boundary.done, set()).update(changed)

    def let_go(self) -> None:
        """Training runs on by itself: keep nothing."""
        self._kept.clear()
        self._pending.clear()
        self._picture = {}

    def edited(self) -> None:
        """Something was changed by hand: what is seen now is not what the phase left."""
        self._picture = {}

    def old(self, name: str) -> Kept | None:
        """The tensor before its last change, if that is what it still looks like now."""
        kept, mark = self._kept.get(name), self._picture.get(name)
        held = kept is not None and kept.after is not None and mark is not None and mark.print == kept.after
        return kept if held else None

    def ratio(self, name: str, tensor: torch.Tensor, now: object = None) -> float | None:
        """How far the last step moved a parameter, against its norm before; None where that is not known.

        Args:
            name: The parameter.
            tensor: The same.
            now: Its fingerprint; else that of the stop.
        """
        mark, kept = self._picture.get(name), self._kept.get(name)
        print_now = now if now is not None else mark.print if mark is not None else None
        known = self._ratios.get(name)
        if print_now is None or (known is not None and known[0] == print_now):
            return known[1] if known is not None and print_now is not None else None
        if kept is None:
            return None
        if kept.after is None and kept.earlier is not None and kept.before == print_now:
            new, old = kept.tensor, _of_bytes(kept.earlier, kept.shape, kept.dtype)
            size, apart = norm(old), moved(new, old).statistics.norm
            ratio = apart / size if apart is not None and size else None
        elif kept.after == print_now and kept.stepped:
            if kept.change is None:
                kept.change = _change(kept, tensor)
            ratio = kept.change.ratio
        else:
            return None
        if ratio is not None:
            self._ratios[name] = (print_now, ratio)
        return ratio

    def ratios(self, named: Iterable[tuple[str, torch.Tensor, object]]) -> None:
        """Work out those of many at once, as far as they are small and not known.

        Args:
            named: Parameters by name, each with its fingerprint.
        """
        together = defaultdict[torch.dtype, list[tuple[str, object, bytes, bytes]]](list)
        for name, tensor, now in named:
            kept, known = self._kept.get(name), self._ratios.get(name)
            if kept is None or now is None or kept.dtype not in TAKEN or (known is not None and known[0] == now):
                continue
            new: torch.Tensor | bytes
            old: torch.Tensor | bytes
            if kept.after is None and kept.before == now and kept.earlier is not None:
                new, old = kept.held, kept.earlier
            elif kept.stepped and kept.after == now and tensor.dtype is kept.dtype:
                new, old = small_bytes(tensor) or b"", kept.held
            else:
                continue
            if isinstance(new, bytes) and isinstance(old, bytes) and len(new) == len(old):
                together[kept.dtype].append((name, now, new, old))
        for dtype, each in together.items():
            old_ones = [old for _, _, _, old in each]
            apart, sizes = norms(dtype, [new for _, _, new, _ in each], old_ones), norms(dtype, old_ones)
            for (name, now, _, _), moved_by, size in zip(each, apart, sizes, strict=True):
                if size:
                    self._ratios[name] = (now, moved_by / size)

    def change(self, name: str, tensor: torch.Tensor) -> Change | None:
        """What the last change of a tensor came to; None where it is not known."""
        kept = self.old(name)
        if kept is None:
            why = self._too_big.get(name)
            return Change(problem=why) if why else None
        if kept.change is None:
            kept.change = _change(kept, tensor)
        return kept.change

    def _wanted(self, phase: str | None, picture: ObjectSnapshot) -> list[str]:
        """The names, parameters first."""
        habit, idle = self._habits.get(phase or "", set()), self._idle.get(phase or "", {})
        kinds = _USUAL.get(phase or "", _ALL)
        found: dict[Kind, list[str]] = {kind: [] for kind in _ALL}
        for name, mark in picture.items():
            if (mark.kind in kinds or name in habit) and mark.kind in _ALL and idle.get(name, 0) < _IDLE:
                found[mark.kind].append(name)
        return [*chain.from_iterable(found.values())]

    def _budget(self, device: torch.device) -> int:
        """Bytes that new copies may take: what is taken already does not make the share smaller."""
        taken = sum([kept.bytes_on(device) for kept in self._kept.values()])
        return int((free_bytes(device) + taken) * self.share) - taken


def _change(kept: Kept, whole: torch.Tensor) -> Change:
    try:
        tensor, _ = local(whole)
        found = moved(tensor, kept.tensor)
    except (RuntimeError, TypeError, Unreadable) as error:
        return Change(phase=kept.phase, whose=kept.whose, update=kept.update, problem=str(unreadable(whole, error)))
    figures, size = found.statistics, norm(kept.tensor)
    known = figures.min is not None and figures.max is not None
    return Change(
        phase=kept.phase,
        whose=kept.whose,
        update=kept.update,
        norm=figures.norm,
        largest=max(-figures.min, figures.max) if known else None,  # type: ignore[operator, type-var]
        changed=found.changed,
        elements=figures.sampled or tensor.numel(),
        ratio=figures.norm / size if figures.norm is not None and size else None,
    )


def _is_turned(tensor: torch.Tensor) -> bool:
    """Whether its elements are not what its bytes say: they are read negative, or conjugate.

    Of real numbers that lie straight it can be so where there is only one (the imaginary part of a conjugate). torch
    takes a microsecond to tell.
    """
    return tensor.is_neg() or tensor.is_conj()


def _of_bytes(held: bytes, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    tensor = torch.empty(shape, dtype=dtype, device=_CPU)
    ctypes.memmove(tensor.data_ptr(), held, len(held))
    return tensor


def _can_hold(copy: torch.Tensor, tensor: torch.Tensor) -> bool:
    """Whether a copy from before can be written again; one that lies on the CPU stays there."""
    alike = copy.shape == tensor.shape and copy.dtype is tensor.dtype and not copy.is_inference()
    return alike and (copy.device == tensor.device or copy.device.type == "cpu")


def _too_big(size: int, left: int, share: float) -> str:
    needed = f"{size:,} B" if size < 100_000 else f"{size / 1e6:,.1f} MB"
    free = f"of {share:.0%} of the free memory {max(0, left) / 1e6:,.0f} MB are left"
    return f"too big to keep what was before: {needed}, and {free}; see --keep"
