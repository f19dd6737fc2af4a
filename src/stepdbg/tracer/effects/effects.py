"""What a phase did to which object: two snapshots of everything that is alive, held against each other.

The proof is a fingerprint of the bytes, since a fused optimizer and a batch norm change tensors without moving their
version counters. Where there is no fingerprint from before, the counters are shown as a hint.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Container, Iterable, Mapping
from itertools import chain

import torch
import xxhash
from msgspec import Struct
from msgspec.structs import replace

from stepdbg.protocol.messages import Basis, Effect, Effects, Kind, What
from stepdbg.tracer.effects.fingerprints import fingerprints as fingerprints_of
from stepdbg.tracer.effects.fingerprints import small_bytes
from stepdbg.tracer.introspect.plain import plain
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import devices

_ORDER: tuple[Kind, ...] = (
    "parameter",
    "grad",
    "buffer",
    "state",
    "hyperparameter",
    "loss",
    "output",
    "batch",
    "rng",
)
FLEETING = ("loss", "output", "batch")
"""Kinds whose objects come anew with each phase: a new one is *created*, an old one is not mourned."""


_LASTING = ("parameter", "buffer")
"""Kinds whose objects stay the same for as long as they are there."""


class ObjectRecord(Struct, frozen=True, gc=False):
    """One object as it was. (A msgspec struct that no collector looks at, since a stop may make half a million.)"""

    kind: Kind
    identity: int | tuple[int, int]
    """The serial of a batch, output or loss, else the tensor's `id`; of a trained tensor outside all models, whose name
    may pass to another, also the number that it has for as long as it lives."""
    version: int
    print: object
    """Fingerprint or plain value; None where it was not taken."""
    owner: str
    known: bool = False
    """Whether it was there before it was first listed."""


_WORD = (1 << 64) - 1
_AT_HAND = 1 << 25
"""Bytes of small tensors that are kept while training stands."""

ObjectSnapshot = dict[str, ObjectRecord]
"""Everything that was alive, by name."""
_Other = tuple[str, ObjectRecord, ObjectRecord | None]
"""The name of an object, how it is and how it was."""


def take(registry: Registry) -> ObjectSnapshot:
    """The snapshot with fingerprints. A tensor that cannot be read has none, and costs the others nothing; what is lent
    to a model for one call is not in it, where the model's own is out of sight.
    """
    devices.settle()  # what other streams still write must be there, what the CPU reads among it
    snapshot: ObjectSnapshot = {}
    larger: list[tuple[str, torch.Tensor]] = []
    registry.small = small = {}
    room = _AT_HAND
    lent = registry.module_tensors.lent
    for name, entry in registry.alive.items():
        if lent and entry.kind in _LASTING and entry.owner in lent:
            continue
        if (tensor := entry.tensor) is None:
            snapshot[name] = ObjectRecord(entry.kind, 0, 0, plain(entry.value), entry.owner)
            continue
        try:
            version = tensor._version
        except Exception:  # an inference tensor has none
            version = -1
        fingerprint: int | None = None
        if (data := small_bytes(tensor)) is not None:
            fingerprint = xxhash.xxh3_64_intdigest(data)
            if room > 0:  # what asks for it next at this stop need not read it again
                small[name] = data
                room -= len(data)
        else:
            larger.append((name, tensor))
        kind, serial = entry.kind, entry.serial
        identity: int | tuple[int, int] = serial or id(tensor)
        if serial and kind == "parameter":
            identity = id(tensor), serial
        snapshot[name] = ObjectRecord(kind, identity, version, fingerprint, entry.owner, entry.known)
    if larger:
        for (name, _), fingerprint in zip(larger, fingerprints_of([tensor for _, tensor in larger]), strict=True):
            if fingerprint is not None:
                snapshot[name] = replace(snapshot[name], print=fingerprint)
    snapshot |= {name: ObjectRecord("rng", 0, 0, value, "") for name, value in random_states().items()}
    return snapshot


def counters_only(snapshot: ObjectSnapshot) -> ObjectSnapshot:
    """What remains of a snapshot in a free run: the version counters tell what was written since, and fingerprints what
    was written without moving them.
    """
    return {name: record for name, record in snapshot.items() if record.kind != "rng"}


def edited(before: ObjectSnapshot, then: ObjectSnapshot, now: ObjectSnapshot) -> ObjectSnapshot:
    """The snapshot from before a phase, as if what the user has edited within it had been so before it began."""
    return {**before, **{name: record for name, record in now.items() if name in before and then.get(name) != record}}


def named(before: ObjectSnapshot, after: ObjectSnapshot, basis: Basis) -> list[Effect]:
    """All effects that turn one snapshot into the other, parameters first."""
    others = _others(before, after)
    if (by_new_names := _by_new_names(before, after, others)) is not before:
        before = by_new_names
        others = _others(before, after)
    owners: set[str] | None = None
    found: dict[Kind, list[Effect]] = {kind: [] for kind in _ORDER}
    objects: dict[object, ObjectRecord] | None = None
    for name, record, old in others:
        if record.kind in FLEETING:  # that object, whatever it was called
            if objects is None:
                objects = {other.identity: other for other in before.values() if other.kind in FLEETING}
            if (old := objects.get(record.identity)) == record:
                continue
        if old is not None:
            what = _what(old, record, basis)
        else:
            if owners is None and record.kind == "state":
                owners = {other.owner for other in before.values()}
            what = _newly(record, before, owners or ())
        if what is not None:
            found[record.kind].append(Effect(name, record.kind, what))
    if gone := before.keys() - after.keys():
        owners = {record.owner for record in after.values()}
        for name, record in before.items():
            if name in gone and (
                (record.kind == "grad" and record.owner in after) or (record.kind == "state" and record.owner in owners)
            ):
                found[record.kind].append(Effect(name, record.kind, "freed"))
    return [*chain.from_iterable(found.values())]


def _others(before: ObjectSnapshot, after: ObjectSnapshot) -> list[_Other]:
    """All that has not stayed as it was, each as it is and as it was. (Most has, which is told in one comparison.)"""
    known = before.get
    return [(name, record, old) for name, record in after.items() if (old := known(name)) != record]


def _by_new_names(before: ObjectSnapshot, after: ObjectSnapshot, others: list[_Other]) -> ObjectSnapshot:
    """The snapshot from before by the names of now, where something has got another name: what is known of parameters,
    gradients and state goes with them.

    A model or an optimizer has been assigned to another variable, or the variable of a loop has gone on from one tensor
    to the next: then its name is now that of another tensor.

    Args:
        before: How everything looked.
        after: How everything looks.
        others: What has not stayed as it was.
    """
    gone = before.keys() - after.keys()
    if gone:
        before = _by_new_owners(before, after)
        gone = before.keys() - after.keys()
    renamed = _passed_on(before, others, gone)
    if gone:
        renamed |= _renamed_owners(before, others, gone)
    if not renamed:
        return before
    displaced = {name for name in renamed.values() if name in before and name not in renamed}
    return {
        _renamed(name, record, renamed): _with_owner(record, renamed)
        for name, record in before.items()
        if not (displaced and _tensor_of(name, record) in displaced)
    }


def _passed_on(before: ObjectSnapshot, others: list[_Other], gone: Iterable[str]) -> dict[str, str]:
    """The names of now by those of before, of trained tensors outside all models."""
    now: dict[object, str] = {record.identity: name for name, record, _ in others if type(record.identity) is tuple}
    if not now:
        return {}
    found: dict[str, str] = {}
    for name in (*(name for name, _, _ in others), *gone):
        if (was := before.get(name)) is not None and now.get(was.identity, name) != name:
            found[name] = now[was.identity]
    return found


def _renamed_owners(before: ObjectSnapshot, others: list[_Other], gone: Container[str]) -> dict[str, str]:
    """The names of now by those of before, of models and what they hold."""
    new = [(name, record) for name, record, _ in others if name not in before and record.kind in _LASTING]
    old = [name for name in before if name in gone and before[name].kind in _LASTING] if new else []
    renamed: dict[str, str] = {}
    there = {_id_of(before[name]): name for name in old}
    for name, record in new:
        if (was := there.get(_id_of(record))) is not None:
            if not _is_same(before[was], record):
                continue  # another tensor where one that is gone was
            renamed[was] = name
            if owner := before[was].owner:
                renamed[owner] = record.owner
    return renamed


def _is_same(before: ObjectRecord, after: ObjectRecord) -> bool:
    """Whether two records are of one object, which may have come into a model meanwhile, or out of one."""
    if type(before.identity) is type(after.identity):
        return before.identity == after.identity
    return _id_of(before) == _id_of(after)


def _id_of(record: ObjectRecord) -> int:
    """The `id` of a parameter or buffer."""
    return record.identity if isinstance(record.identity, int) else record.identity[0]


def _by_new_owners(before: ObjectSnapshot, after: ObjectSnapshot) -> ObjectSnapshot:
    """The snapshot by new names where an optimizer that went by its class has got the name of a variable."""
    if not any(after[name].kind == "hyperparameter" for name in after.keys() - before.keys()):
        return before
    owners = {record.identity: record.owner for record in before.values() if record.kind == "state" and record.identity}
    renamed = {
        was: record.owner
        for record in after.values()
        if record.kind == "state" and (was := owners.get(record.identity)) is not None and was != record.owner
    }
    named = dict[str, ObjectRecord]()
    for name, record in before.items():
        mine = record.owner in renamed and name.startswith(f"{record.owner}.")
        named[renamed[record.owner] + name.removeprefix(record.owner) if mine else name] = _with_owner(record, renamed)
    return named


def _renamed(name: str, record: ObjectRecord, renamed: Mapping[str, str]) -> str:
    if record.kind in _LASTING:
        return renamed.get(name, name)
    if record.kind == "grad" and record.owner in renamed:
        return f"{renamed[record.owner]}.grad"
    if record.kind == "state":
        optimizer, _, rest = name.partition(".state[")
        parameter, _, key = rest.rpartition("].")
        if parameter in renamed:
            return f"{optimizer}.state[{renamed[parameter]}].{key}"
    return name


def _tensor_of(name: str, record: ObjectRecord) -> str:
    """The name of the parameter or buffer that a record is of, itself or as its gradient or state."""
    if record.kind == "grad":
        return record.owner
    if record.kind == "state":
        return name.partition(".state[")[2].rpartition("].")[0]
    return name


def _with_owner(record: ObjectRecord, renamed: Mapping[str, str]) -> ObjectRecord:
    owner = renamed.get(record.owner)
    return record if owner is None else replace(record, owner=owner)


def together(first: Iterable[Effect], then: Iterable[Effect]) -> list[Effect]:
    """What several stretches of one phase did, each object once: a gradient that another phase has freed meanwhile was
    created all the same.
    """
    found: dict[tuple[Kind, str], Effect] = {}
    for effect in (*first, *then):
        key = (effect.kind, effect.object)
        if (before := found.get(key)) is None or before.what == "touched":
            found[key] = effect
    return sorted(found.values(), key=lambda effect: _ORDER.index(effect.kind))


def without_names(effects: Effects | None) -> Effects | None:
    """The counts alone of effects: what a phase's record keeps."""
    return effects and Effects(effects.basis, effects.counts, why=effects.why)


def fingerprints(snapshot: ObjectSnapshot) -> dict[str, str | None]:
    """The fingerprints of a snapshot as a trace tells them, alike in each process that holds the same bytes.

    Sixteen hexadecimal digits; what is no tensor is told as it is written, after a `=`.
    """
    found: dict[str, str | None] = {}
    for name, record in snapshot.items():
        value = record.print
        found[name] = f"{value & _WORD:016x}" if isinstance(value, int) else None if value is None else f"={value}"
    return found


def random_states() -> dict[str, int]:
    """Fingerprints of the generators that training may draw from."""
    states = {"torch random": xxhash.xxh3_64_intdigest(torch.get_rng_state().numpy().tobytes())}
    version, words, gauss = random.getstate()
    states["random"] = _digest(array("I", words).tobytes(), version, gauss)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        name, keys, *rest = numpy_random.get_state()
        states["numpy.random"] = _digest(keys.tobytes(), name, *rest)
    return states | devices.random_states()


def _digest(words: bytes, *rest: object) -> int:
    """A digest of bytes; not Python's `hash`, which differs from one process to the next."""
    return xxhash.xxh3_64_intdigest(words + repr(rest).encode())


def _newly(record: ObjectRecord, before: ObjectSnapshot, owners: Container[str]) -> What | None:
    """What was not there before was created, if what it belongs to was there already."""
    fresh = (
        (record.kind in FLEETING and not record.known)
        or (record.kind == "grad" and record.owner in before)
        or (record.kind == "state" and record.owner in owners)
    )
    return "created" if fresh else None


def _what(before: ObjectRecord, after: ObjectRecord, basis: Basis) -> What | None:
    same = _is_same(before, after)
    if after.kind in FLEETING and not same:
        return "created"
    if basis == "counters":
        moved = before.version != after.version or not same
        written = before.print is not None and after.print is not None and before.print != after.print
        return "changed" if moved or written else None  # a fused optimizer, a batch norm write without moving it
    if before.print is None or after.print is None:  # nobody can say
        return None
    if before.print != after.print:
        return "changed"
    return "touched" if before.version != after.version or not same else None
