"""Writes tensors to files from the training thread, a chunk at a time: the model is never copied whole.

Safetensors is written by hand (docs/decisions says why): eight bytes of length, a JSON header, the raw bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch

from stepdbg.errors import SaveError
from stepdbg.new_file import new_file
from stepdbg.protocol.messages import Save, Saved
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.raw_bytes import raw_bytes
from stepdbg.tracer.tensors.readable import Unreadable, dtype_name, local

_STATE = ("parameter", "buffer", "grad", "state")
"""Kinds of object that make up the whole state."""
_SAFETENSORS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.complex64: "C64",
    **{getattr(torch, f"uint{bits}"): f"U{bits}" for bits in (16, 32, 64) if hasattr(torch, f"uint{bits}")},
}  # fmt: skip
_NPY = {
    torch.float64: "<f8", torch.float32: "<f4", torch.float16: "<f2", torch.int64: "<i8", torch.int32: "<i4",
    torch.int16: "<i2", torch.int8: "|i1", torch.uint8: "|u1", torch.bool: "|b1", torch.complex64: "<c8",
    torch.complex128: "<c16",
}  # fmt: skip
_DIGITS = {torch.float64: 17, torch.float32: 9, torch.float16: 5, torch.bfloat16: 4}
"""Significant digits after which a number reads back as the same bits."""
_MOST_TEXT = 10_000_000
"""Elements that are written as text."""
_ROWS = 4_096
"""Elements, or one row, that are turned into text at a time."""


class Chosen(NamedTuple):
    """What goes into a file."""

    tensors: dict[str, torch.Tensor]
    aliases: dict[str, str]
    """Further names of tied tensors, and the name that they are under."""
    left_out: tuple[str, ...]


class Saves(Handler):
    """Answers `Save`."""

    answers = (Save,)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, query: Save) -> Saved:
        """What has been written."""
        return save(self._registry, query)


def save(registry: Registry, query: Save) -> Saved:
    """Write what is asked for.

    Raises:
        Refused: it cannot be; nothing is left behind.
    """
    chosen = _one(registry, query.object) if query.object else _all(registry)
    path = Path(query.path)
    try:
        with new_file(path) as file:
            match query.format:
                case "safetensors":
                    write_safetensors(file, chosen)
                case "npy":
                    write_npy(file, next(iter(chosen.tensors.values())))
                case _:
                    write_text(file, next(iter(chosen.tensors.values())), commas=query.format == "csv")
            size = file.tell()
    except SaveError as error:
        raise Refused(str(error)) from error
    return Saved(str(path), len(chosen.tensors), size, chosen.left_out)


def _one(registry: Registry, name: str) -> Chosen:
    entry = registry.alive.get(name)
    if entry is None or entry.tensor is None:
        raise Refused(f"{name} is not there at this stop; nothing was saved")
    if problem := _unwritable(entry.tensor):
        raise Refused(f"{name} cannot be saved: {problem}")
    return Chosen({name: _whole(entry.tensor)}, {}, ())


def _all(registry: Registry) -> Chosen:
    """The whole state; a tensor of several names is written once."""
    found: dict[str, torch.Tensor] = {}
    aliases: dict[str, str] = {}
    left_out = []
    names: dict[int, str] = {}
    for name, entry in registry.alive.items():
        tensor = entry.tensor
        if tensor is None or entry.kind not in _STATE:
            continue
        problem = _unwritable(tensor)
        if not problem and tensor.dtype not in _SAFETENSORS:
            problem = f"safetensors has no {dtype_name(tensor.dtype)}"
        if problem:
            left_out.append(f"{name}: {problem}")
        elif id(tensor) in names:
            aliases[name] = names[id(tensor)]
        else:
            names[id(tensor)] = name
            found[name] = _whole(tensor)
            aliases |= dict.fromkeys(registry.also.get(name, ()), name)
    if not found:
        raise Refused("there is no tensor to save at this stop yet; step until the model is known")
    return Chosen(found, aliases, tuple(left_out))


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """All elements of a tensor that can be written; of a `DTensor` they may have to come from other ranks."""
    stored, note = local(tensor)
    return tensor.detach() if note else stored


def _unwritable(tensor: torch.Tensor) -> str:
    """Why the raw bytes of a tensor cannot be written; empty where they can."""
    if tensor.device.type == "meta":
        return "it is on the meta device and has no numbers"
    try:
        local(tensor)
    except Unreadable as why:
        return str(why)
    if tensor.is_quantized:
        return "it is quantised"
    if tensor.is_nested:
        return "it is nested; save its values() instead"
    if tensor.layout is not torch.strided:
        return f"it is {str(tensor.layout).removeprefix('torch.')}; save its values() instead"
    return ""


# ---------------------------------------------------------------- formats


def write_safetensors(file: BinaryIO, chosen: Chosen) -> None:
    """All tensors, widest elements first so that each is aligned; further names stand in the metadata, as
    `safetensors.torch.save_model` writes them.

    Raises:
        Refused: a dtype that the format lacks.
    """
    for name, tensor in chosen.tensors.items():
        if tensor.dtype not in _SAFETENSORS:
            raise Refused(f"safetensors has no {dtype_name(tensor.dtype)}, which {name} is; save it as npy or text")
    metadata: Mapping[str, str] = {"format": "pt", **chosen.aliases}
    header: dict[str, object] = {"__metadata__": metadata}
    ordered = sorted(chosen.tensors.items(), key=lambda item: -item[1].element_size())
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _SAFETENSORS[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end],
        }  # fmt: skip
    words = json.dumps(header, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    file.write(len(words).to_bytes(8, "little"))
    file.write(words)
    for _, tensor in ordered:
        for part in raw_bytes(tensor):
            file.write(part)


def write_npy(file: BinaryIO, tensor: torch.Tensor) -> None:
    """Write a tensor in numpy's format, version 1.0; bfloat16 and float8, which numpy lacks, become float32."""
    convert: Callable[[torch.Tensor], torch.Tensor] | None = None
    if tensor.dtype not in _NPY:
        if not tensor.is_floating_point():
            raise Refused(f"numpy has no {dtype_name(tensor.dtype)}; save it as safetensors")
        convert = torch.Tensor.float
    kind = _NPY[torch.float32 if convert else tensor.dtype]
    words = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(tensor.shape)}, }}".encode()
    words += b" " * (-(len(words) + 11) % 64) + b"\n"
    file.write(b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words)
    for part in raw_bytes(tensor, convert):
        file.write(part)


def write_text(file: BinaryIO, tensor: torch.Tensor, *, commas: bool) -> None:
    """A line for each row of the table (all but the last dimension run down), all digits that matter.

    Args:
        file: Where.
        tensor: What.
        commas: CSV, numbers alone; else each line begins with its index.
    """
    value, _ = tensors.readable(tensor)
    if value is None or value.numel() > _MOST_TEXT:
        raise Refused(f"more than {_MOST_TEXT:,} numbers are not written as text; save as npy or safetensors")
    value = tensors.real(value)
    across = value.shape[-1] if value.dim() else 1
    digits = _DIGITS.get(value.dtype)
    outer = tuple(value.shape[:-1])
    for number, row in enumerate(_rows(value, across)):
        words = [str(x) if digits is None else f"{x:.{digits}g}" for x in row]
        if commas:
            file.write((",".join(words) + "\n").encode())
        else:
            index = "".join(f"{place}, " for place in tensors.unravel(number, outer))
            file.write((f"[{index}:]  " + "  ".join(words) + "\n").encode())


def _rows(value: torch.Tensor, across: int) -> Iterator[list[float]]:
    if not value.numel():
        return
    table = value.reshape(-1, across)
    step = max(1, _ROWS // across)
    for start in range(0, table.shape[0], step):
        yield from table[start : start + step].tolist()
