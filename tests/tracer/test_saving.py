"""Files of tensors: read back by the libraries whose formats they are, and nothing left behind where it fails."""

from __future__ import annotations

import io
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, load_model
from torch import nn

from stepdbg.errors import FileExists, SaveError
from stepdbg.new_file import free_name, new_file
from stepdbg.protocol import messages as m
from stepdbg.tracer.inspect.save import Chosen, save, write_npy, write_safetensors, write_text
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors.raw_bytes import PIECE, raw_bytes

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.complex64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


def registry(**tensors: torch.Tensor) -> Registry:
    return Registry(alive={name: Alive("parameter", tensor) for name, tensor in tensors.items()})


def written(write, *what: object, **how: object) -> bytes:  # type: ignore[no-untyped-def]
    file = io.BytesIO()
    write(file, *what, **how)
    return file.getvalue()


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    raw = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*raw)


def test_every_dtype_and_layout_reads_back_as_the_same_bits() -> None:
    generator = torch.Generator().manual_seed(1)
    whole = {str(dtype): (torch.randn(5, 7, generator=generator) * 9).to(dtype) for dtype in DTYPES}
    turned = {f"{name} turned": tensor.t() for name, tensor in whole.items()}
    cut = {f"{name} cut": tensor[1:4, ::2] for name, tensor in whole.items()}
    odd = {
        "scalar": torch.tensor(3.5), "empty": torch.empty(0, 3), "nan": torch.tensor([float("nan"), -0.0]),
        "expanded": torch.ones(1, 3).expand(4, 3), "conjugated": torch.tensor([1 + 2j]).conj(),
    }  # fmt: skip
    everything = {**whole, **turned, **cut, **odd}
    found = load(written(write_safetensors, Chosen(everything, {}, ())))
    assert found.keys() == everything.keys()
    for name, tensor in everything.items():
        assert same_bits(found[name], tensor.resolve_conj()), name


def test_a_tied_tensor_is_written_once_under_the_names_that_the_library_knows(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(4, 3)
            self.head = nn.Linear(3, 4, bias=False)
            self.head.weight = self.embed.weight

    model = Tied()
    known = registry(**{"embed.weight": model.embed.weight})
    known.also["embed.weight"] = ("head.weight",)
    saved = save(known, m.Save(str(tmp_path / "tied.safetensors"), "safetensors"))
    assert saved.tensors == 1
    with safe_open(saved.path, "pt") as file:
        assert file.metadata()["head.weight"] == "embed.weight"
    other = Tied()
    load_model(other, saved.path)
    assert same_bits(other.head.weight, model.head.weight)


def test_two_tensors_of_one_storage_are_both_written(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    saved = save(registry(a=base[:4], b=base.view(2, 3)), m.Save(str(tmp_path / "two.safetensors"), "safetensors"))
    found = load(Path(saved.path).read_bytes())
    assert same_bits(found["a"], base[:4])
    assert same_bits(found["b"], base.view(2, 3))


def test_what_the_format_cannot_hold_is_left_out_of_the_state_and_named(tmp_path: Path) -> None:
    known = registry(
        w=torch.ones(2), sparse=torch.eye(3).to_sparse(), meta=torch.empty(2, device="meta"),
        wide=torch.ones(2, dtype=torch.complex128),
    )  # fmt: skip
    saved = save(known, m.Save(str(tmp_path / "some.safetensors"), "safetensors"))
    assert list(load(Path(saved.path).read_bytes())) == ["w"]
    assert [words.split(":")[0] for words in saved.left_out] == ["sparse", "meta", "wide"]
    with pytest.raises(Refused, match="complex128"):
        save(known, m.Save(str(tmp_path / "wide.safetensors"), "safetensors", "wide"))
    assert [path.name for path in tmp_path.iterdir()] == ["some.safetensors"]


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype is not torch.float8_e4m3fn])
def test_numpy_reads_an_npy(dtype: torch.dtype) -> None:
    tensor = (torch.arange(24).reshape(2, 3, 4) % 5).to(dtype)
    found = np.load(io.BytesIO(written(write_npy, tensor.transpose(0, 2))))
    expected = tensor.float() if dtype is torch.bfloat16 else tensor
    assert np.array_equal(found, expected.transpose(0, 2).numpy())
    assert found.dtype == expected.numpy().dtype


def test_text_and_csv_have_all_digits() -> None:
    tensor = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    found = np.loadtxt(io.BytesIO(written(write_text, tensor, commas=True)), delimiter=",", dtype=np.float32)
    assert np.array_equal(found.reshape(3, 2, 4), tensor.numpy())
    lines = written(write_text, tensor, commas=False).decode().splitlines()
    assert lines[3].startswith("[1, 1, :]  ")
    assert torch.equal(torch.tensor([float(word) for word in lines[3].split("  ")[1:]]), tensor[1, 1])
    assert written(write_text, torch.tensor(7), commas=True) == b"7\n"


def test_a_tensor_is_streamed_and_never_copied_whole() -> None:
    straight = torch.ones(PIECE // 2)
    (only,) = raw_bytes(straight)
    straight[3] = 7.0
    assert np.frombuffer(only, np.float32)[3] == 7.0, "it is the tensor's own memory"
    turned = torch.ones(64, PIECE // 64).t()
    sizes = [len(piece) for piece in raw_bytes(turned)]
    assert max(sizes) <= PIECE
    assert sum(sizes) == turned.nbytes


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "w.npy"
    path.write_text("mine")
    with pytest.raises(FileExists, match="exists already"), new_file(path):
        raise AssertionError("not to be written")
    assert path.read_text() == "mine"
    assert free_name(path) == tmp_path / "w-2.npy"
    late = new_file(tmp_path / "late")
    late.__enter__().write(b"x")
    (tmp_path / "late").write_text("another was faster")
    with pytest.raises(FileExists):
        late.__exit__(None, None, None)
    assert (tmp_path / "late").read_text() == "another was faster"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["late", "w.npy"]


def test_no_space_no_folder_and_no_rights_are_one_line_and_leave_nothing(tmp_path: Path) -> None:
    known = registry(w=torch.ones(1 << 20))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))  # the disk refuses in the middle of a write
    try:
        with pytest.raises(Refused, match="nothing was written") as refused:
            save(known, m.Save(str(tmp_path / "w.safetensors"), "safetensors"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(refused.value)
    with pytest.raises(Refused, match="there is no folder"):
        save(known, m.Save(str(tmp_path / "none" / "w.npy"), "npy", "w"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    folder = Path("/proc/self") if os.geteuid() == 0 else closed  # root may write to any folder but such a one
    with pytest.raises(Refused, match=r"may not be written to|read-only"):
        save(known, m.Save(str(folder / "w.npy"), "npy", "w"))
    closed.rmdir()
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "w"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SaveError, match="too long"), new_file(tmp_path / ("n" * 300)):
        pass
