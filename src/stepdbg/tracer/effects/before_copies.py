"""What tensors were before a phase changed them, kept as copies: so that what it did can be looked at.

Only what a phase is likely to change is copied before it: what it has changed before, and what a phase of that name
usually changes, unless that has stayed the same a few times (of two optimizers each steps its own). And only while
somebody steps, within a share of the memory that is free. A copy is kept until its tensor is likely to be changed
again; so after `backward` the last update of a weight can still be seen. ‖Δw‖ / ‖w‖ of a step is the customary check
of a learning rate (around 1e-3 is healthy).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch

from stepdbg.protocol.messages import Boundary, Change, Effect
from stepdbg.tracer.effects.before_copy import BeforeCopy, of_bytes
from stepdbg.tracer.effects.change_habits import CHANGEABLE, ChangeHabits
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
"""The part of the free memory that copies may take."""
_CPU = torch.device("cpu")
_ONE = 8
"""Bytes of one real number, at most."""


class BeforeCopies:
    """The copies from before phases, by the names of their tensors."""

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._copies: dict[str, BeforeCopy] = {}
        self._pending: set[str] = set()
        """The names of what was copied before the phase that runs."""
        self._habits = ChangeHabits()
        self._ratios: dict[str, tuple[object, float]] = {}
        """Fingerprint and ratio of each parameter after its last step, by name; the copy may have been needed since."""
        self._too_big: dict[str, str] = {}
        """Why there is no copy, by name."""
        self._snapshot: ObjectSnapshot = {}
        self._update = 0
        """The update that training was last seen in."""
        self._updates = 0
        """The number of updates that training was seen in since it found no memory."""
        self._elsewhere = False
        """Whether copies of what lies on a device have just been started."""

    @property
    def copied(self) -> set[str]:
        """The names of the tensors that there is a copy of."""
        return set(self._copies)

    def before(self, phase: str | None, registry: Registry, snapshot: ObjectSnapshot) -> None:
        """Copy what the phase that begins is likely to change.

        Args:
            phase: Its name; None where nobody knows.
            registry: What is alive.
            snapshot: How everything looks now.
        """
        self._pending.clear()
        self._too_big.clear()
        wanted, known = dict.fromkeys(self._habits.likely(phase, snapshot)), self._copies
        for name in [
            name for name, copy in known.items() if name not in snapshot or (copy.after is None and name not in wanted)
        ]:
            del known[name]  # it tells of nothing that can still be seen, and will not
        left: dict[torch.device, int] = {}
        self._elsewhere = False
        alive = registry.alive
        for name in wanted:
            entry, record = alive.get(name), snapshot.get(name)
            if entry is None or (tensor := entry.tensor) is None or record is None or record.print is None:
                continue
            last, earlier = known.get(name), None
            if last is not None:
                if last.after is None and last.before == record.print:
                    self._pending.add(name)
                    continue
                if record.kind == "parameter" and last.stepped and last.after == record.print:
                    if isinstance(last.content, bytes):
                        earlier = last.content  # what the step has come to can be worked out when it is asked for
                    else:
                        self.ratio(name, tensor, record.print)
            try:
                if (content := self._copied(name, tensor, last, left, registry.small.get(name))) is not None:
                    known[name] = BeforeCopy(content, tensor.shape, tensor.dtype, record.print, earlier=earlier)
                    self._pending.add(name)
            except (RuntimeError, TypeError, ValueError, Unreadable) as error:  # no memory after all, or no numbers
                known.pop(name, None)
                self._too_big[name] = f"what was before could not be kept: {unreadable(tensor, error)}"
        if self._elsewhere:
            devices.settle()  # a step on another stream must not overtake the copies

    def _copied(
        self,
        name: str,
        tensor: torch.Tensor,
        last: BeforeCopy | None,
        left: dict[torch.device, int],
        small: bytes | None,
    ) -> torch.Tensor | bytes | None:
        """A copy of that tensor, if possible in the memory of the one before; None where there is no room for it.

        Args:
            name: The name of the tensor.
            tensor: The tensor.
            last: The copy from the last time.
            left: Bytes that copies may still take, by device; filled in where a device is met first.
            small: The bytes of the tensor, if it is small and the snapshot at which training stands has read it.
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
            if last is not None and (memory := last.can_hold(tensor)) is not None:
                return memory.copy_(tensor)
        self._copies.pop(name, None)
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
        for name, copy in tuple(self._copies.items()):
            content = copy.content
            if isinstance(content, torch.Tensor) and (
                content.device == device if device else content.device.type != "cpu"
            ):
                del self._copies[name]
                self._pending.discard(name)

    def out_of_memory(self) -> None:
        """Training has found no memory on a device: give back what copies take there."""
        self._drop()
        self._updates = 0

    def after(
        self,
        boundary: Boundary,
        before: ObjectSnapshot | None,
        snapshot: ObjectSnapshot,
        effects: Sequence[Effect] = (),
    ) -> None:
        """A phase is done.

        Args:
            boundary: Where training stands.
            before: How everything looked before it; None where nobody looked.
            snapshot: How everything looks now.
            effects: What has happened in between, by the phase's call and after it.
        """
        self._snapshot = snapshot
        self._updates = self._updates + (boundary.update != self._update)
        self._update = boundary.update
        if before is None or boundary.done is None:
            self._pending.clear()
            return
        known = before.get
        changed = {
            name
            for name, record in snapshot.items()
            if (old := known(name)) != record
            and record.kind in CHANGEABLE
            and record.print is not None
            and (old is None or old.print != record.print)
        }
        others = {effect.object for effect in effects if effect.after or effect.before}
        called = {effect.object for effect in effects if not (effect.after or effect.before)} if others else set()
        for name in self._pending & changed:
            copy = self._copies[name]
            copy.after, copy.phase, copy.update = snapshot[name].print, boundary.done, boundary.update
            copy.changed_by = "call" if name not in others else "both" if name in called else "script"
        self._habits.learn(boundary.done, self._pending, changed)
        for name in self._copies.keys() & (changed - self._pending):
            del self._copies[name]  # changed by what was not foreseen: the copy is of an earlier state
        self._pending.clear()

    def let_go(self) -> None:
        """Training runs on by itself: keep nothing."""
        self._copies.clear()
        self._pending.clear()
        self._snapshot = {}

    def edited(self) -> None:
        """Something was changed by hand: what is seen now is not what the phase left."""
        self._snapshot = {}

    def old(self, name: str) -> BeforeCopy | None:
        """The tensor before its last change, if that is what it still looks like now."""
        copy, record = self._copies.get(name), self._snapshot.get(name)
        valid = copy is not None and copy.after is not None and record is not None and record.print == copy.after
        return copy if valid else None

    def ratio(self, name: str, tensor: torch.Tensor, now: object = None) -> float | None:
        """How far the last step moved a parameter, against its norm before; None where that is not known.

        Args:
            name: The parameter.
            tensor: Its tensor.
            now: Its fingerprint; None for that of the stop.
        """
        record, copy = self._snapshot.get(name), self._copies.get(name)
        print_now = now if now is not None else record.print if record is not None else None
        known = self._ratios.get(name)
        if print_now is None or (known is not None and known[0] == print_now):
            return known[1] if known is not None and print_now is not None else None
        if copy is None:
            return None
        if copy.after is None and copy.earlier is not None and copy.before == print_now:
            new, old = copy.tensor, of_bytes(copy.earlier, copy.shape, copy.dtype)
            size, apart = norm(old), moved(new, old).statistics.norm
            ratio = apart / size if apart is not None and size else None
        elif copy.after == print_now and copy.stepped:
            ratio = copy.change_to(tensor).ratio
        else:
            return None
        if ratio is not None:
            self._ratios[name] = (print_now, ratio)
        return ratio

    def ratios(self, named: Iterable[tuple[str, torch.Tensor, object]]) -> None:
        """Work out the ratios of many parameters at once, as far as those are small and not known.

        Args:
            named: Parameters by name, each with its fingerprint.
        """
        together = defaultdict[torch.dtype, list[tuple[str, object, bytes, bytes]]](list)
        for name, tensor, now in named:
            copy, known = self._copies.get(name), self._ratios.get(name)
            if copy is None or now is None or copy.dtype not in TAKEN or (known is not None and known[0] == now):
                continue
            new: torch.Tensor | bytes
            old: torch.Tensor | bytes
            if copy.after is None and copy.before == now and copy.earlier is not None:
                new, old = copy.content, copy.earlier
            elif copy.stepped and copy.after == now and tensor.dtype is copy.dtype:
                new, old = small_bytes(tensor) or b"", copy.content
            else:
                continue
            if isinstance(new, bytes) and isinstance(old, bytes) and len(new) == len(old):
                together[copy.dtype].append((name, now, new, old))
        for dtype, each in together.items():
            old_ones = [old for _, _, _, old in each]
            apart, sizes = norms(dtype, [new for _, _, new, _ in each], old_ones), norms(dtype, old_ones)
            for (name, now, _, _), moved_by, size in zip(each, apart, sizes, strict=True):
                if size:
                    self._ratios[name] = (now, moved_by / size)

    def change(self, name: str, tensor: torch.Tensor) -> Change | None:
        """What the last change of a tensor came to; None where it is not known."""
        copy = self.old(name)
        if copy is None:
            why = self._too_big.get(name)
            return Change(problem=why) if why else None
        return copy.change_to(tensor)

    def _budget(self, device: torch.device) -> int:
        """Bytes that new copies may take: what is taken already does not make the share smaller."""
        taken = sum([copy.bytes_on(device) for copy in self._copies.values()])
        return int((free_bytes(device) + taken) * self.share) - taken


def _too_big(size: int, left: int, share: float) -> str:
    needed = f"{size:,} B" if size < 100_000 else f"{size / 1e6:,.1f} MB"
    free = f"of {share:.0%} of the free memory {max(0, left) / 1e6:,.0f} MB are left"
    return f"too big to keep what was before: {needed}, and {free}; see --keep"


def _is_turned(tensor: torch.Tensor) -> bool:
    """Whether its elements are not what its bytes say: they are read negative, or conjugate.

    Of real numbers that lie straight it can be so where there is only one (the imaginary part of a conjugate). torch
    takes a microsecond to tell.
    """
    return tensor.is_neg() or tensor.is_conj()
