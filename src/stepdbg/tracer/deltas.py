"""What tensors were before a phase changed them, kept as copies: so that what it did can be looked at.

Only what a phase is likely to change is copied before it: what it has changed before, and what a phase of that name
usually changes, unless that has stayed the same a few times (of two optimizers each steps its own). And only while
somebody steps, within a share of the memory that is free. A copy is kept until its tensor is likely to be changed
again; so after `backward` the last update of a weight can still be seen. ‖Δw‖ / ‖w‖ of a step is the customary check
of a learning rate (around 1e-3 is healthy).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from stepdbg.protocol.messages import Boundary, Change, Kind
from stepdbg.tracer.differences import moved
from stepdbg.tracer.effects import Picture
from stepdbg.tracer.free_memory import free_bytes
from stepdbg.tracer.readable import local
from stepdbg.tracer.registry import Registry
from stepdbg.tracer.statistics import norm

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
_ALL = ("parameter", "grad", "buffer", "state")


@dataclass(slots=True)
class Kept:
    """One tensor as it was."""

    tensor: torch.Tensor
    before: object
    """The fingerprint that it had."""
    after: object = None
    """The one that it got; None while it has not been changed."""
    phase: str = ""
    """Which phase did."""
    update: int = 0
    change: Change | None = None
    """Worked out when asked for."""


class Deltas:
    """The copies."""

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._kept: dict[str, Kept] = {}
        self._pending: set[str] = set()
        """Copied before the phase that runs."""
        self._habits: dict[str, set[str]] = {}
        """What each phase has changed."""
        self._idle: dict[str, Counter[str]] = {}
        """How often in a row each phase has left a tensor as it was."""
        self._ratios: dict[str, tuple[object, float]] = {}
        """Fingerprint and ratio of a parameter after its last step; the copy may have been needed since."""
        self._too_big: dict[str, str] = {}
        """Why there is no copy."""
        self._picture: Picture = {}

    @property
    def copied(self) -> set[str]:
        """What there is a copy of."""
        return set(self._kept)

    def before(self, phase: str | None, registry: Registry, picture: Picture) -> None:
        """That phase begins: copy what it is likely to change.

        Args:
            phase: Its name; None where nobody knows.
            registry: What is alive.
            picture: How everything looks now.
        """
        self._pending.clear()
        self._too_big.clear()
        wanted = self._wanted(phase, picture)
        for name in [name for name, kept in self._kept.items() if self._useless(name, kept, picture, wanted)]:
            del self._kept[name]
        left: dict[torch.device, int] = {}
        for name in wanted:
            entry, mark = registry.alive.get(name), picture.get(name)
            if entry is None or entry.tensor is None or mark is None or mark.print is None:
                continue
            tensor, _ = local(entry.tensor)
            kept = self._kept.get(name)
            if kept is not None and kept.after is None and kept.before == mark.print:
                self._pending.add(name)
                continue
            if kept is not None and mark.kind == "parameter":
                self.ratio(name, entry.tensor, mark.print)
            copy = kept.tensor if kept is not None and _alike(kept.tensor, tensor) else None
            if copy is None:
                self._kept.pop(name, None)
                if tensor.device not in left:
                    left[tensor.device] = self._budget(tensor.device)
                if tensor.nbytes > left[tensor.device]:
                    self._too_big[name] = _too_big(tensor.nbytes, left[tensor.device], self.share)
                    continue
                left[tensor.device] -= tensor.nbytes
                copy = torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
            copy.copy_(tensor)
            self._kept[name] = Kept(copy, mark.print)
            self._pending.add(name)

    def after(self, boundary: Boundary, before: Picture | None, picture: Picture) -> None:
        """A phase is done.

        Args:
            boundary: Where training stands.
            before: How everything looked before it; None where nobody looked.
            picture: How everything looks now.
        """
        self._picture = picture
        if before is None or boundary.done is None:
            self._pending.clear()
            return
        changed = {
            name
            for name, mark in picture.items()
            if mark.kind in _ALL and (name not in before or mark.print != before[name].print)
        }
        for name in self._pending & changed:
            kept = self._kept[name]
            kept.after, kept.phase, kept.update = picture[name].print, boundary.done, boundary.update
        idle = self._idle.setdefault(boundary.done, Counter())
        idle.update(self._pending - changed)
        for name in changed:
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
        if kept is not None and kept.after is not None and kept.after == print_now and kept.phase == "step":
            if kept.change is None:
                kept.change = _change(kept, local(tensor)[0])
            if kept.change.ratio is not None:
                self._ratios[name] = (print_now, kept.change.ratio)
        known = self._ratios.get(name)
        return known[1] if known is not None and print_now is not None and known[0] == print_now else None

    def change(self, name: str, tensor: torch.Tensor) -> Change | None:
        """What the last change of a tensor came to; None where it is not known."""
        kept = self.old(name)
        if kept is None:
            why = self._too_big.get(name)
            return Change(problem=why) if why else None
        if kept.change is None:
            kept.change = _change(kept, local(tensor)[0])
        return kept.change

    def _useless(self, name: str, kept: Kept, picture: Picture, wanted: Mapping[str, Kind]) -> bool:
        """Whether a copy tells of nothing that can still be seen, and will not."""
        return name not in picture or (kept.after is None and name not in wanted)

    def _wanted(self, phase: str | None, picture: Picture) -> dict[str, Kind]:
        """The names with their kinds, parameters first."""
        habit, idle = self._habits.get(phase or "", set()), self._idle.get(phase or "", Counter())
        kinds = _USUAL.get(phase or "", _ALL)
        found = [
            (name, mark.kind)
            for name, mark in picture.items()
            if mark.kind in _ALL and (mark.kind in kinds or name in habit) and idle[name] < _IDLE
        ]
        found.sort(key=lambda pair: _ALL.index(pair[1]))
        return dict(found)

    def _budget(self, device: torch.device) -> int:
        """Bytes that new copies may take: what is taken already does not make the share smaller."""
        taken = sum(kept.tensor.nbytes for kept in self._kept.values() if kept.tensor.device == device)
        return int((free_bytes(device) + taken) * self.share) - taken


def _change(kept: Kept, tensor: torch.Tensor) -> Change:
    found = moved(tensor, kept.tensor)
    figures, size = found.statistics, norm(kept.tensor)
    known = figures.min is not None and figures.max is not None
    return Change(
        phase=kept.phase,
        update=kept.update,
        norm=figures.norm,
        largest=max(-figures.min, figures.max) if known else None,  # type: ignore[operator, type-var]
        changed=found.changed,
        elements=figures.sampled or tensor.numel(),
        ratio=figures.norm / size if figures.norm is not None and size else None,
    )


def _alike(copy: torch.Tensor, tensor: torch.Tensor) -> bool:
    return copy.shape == tensor.shape and copy.dtype is tensor.dtype and copy.device == tensor.device


def _too_big(size: int, left: int, share: float) -> str:
    needed = f"{size:,} B" if size < 100_000 else f"{size / 1e6:,.1f} MB"
    free = f"of {share:.0%} of the free memory {max(0, left) / 1e6:,.0f} MB are left"
    return f"too big to keep what was before: {needed}, and {free}; see --keep"
