"""Statistics of a tensor on a GPU are worked out there: only results come to the CPU, and they are those of the CPU."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stepdbg.tracer.tensors import statistics as subject

ELEMENTS = 3_000_000
HOLES = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])


class Fetched(TorchDispatchMode):
    """Counts the elements that come from a GPU to the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        if any(one.is_cuda for one in given):
            self.elements += sum(
                one.numel() if isinstance(one, torch.Tensor) else 1
                for one in tree_leaves(made)
                if not (isinstance(one, torch.Tensor) and one.is_cuda)
            )
        return made


def cases() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    plain = torch.randn(ELEMENTS)
    holed = plain.clone()
    holed[::1000] = HOLES.repeat(ELEMENTS // 1000 // 4)
    return {
        "float32": plain,
        "far from zero": plain + 1000,
        "with NaN and infinities": holed,
        "too large to square": plain.double() * 1e200,
        "bfloat16": plain.bfloat16(),
        "integers": torch.randint(-5, 5, (ELEMENTS,)),
        "few values": torch.randint(0, 7, (200_000,)).float(),
        "complex": torch.complex(plain, plain.flip(0)),
        "transposed": plain.view(1000, -1).t(),
    }


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", cases())
def test_statistics_of_a_tensor_on_a_gpu_are_worked_out_there(name: str) -> None:
    tensor = cases()[name]
    there = tensor.cuda()
    with Fetched() as fetched:
        found = subject.statistics(there)
    assert found is not None
    assert 0 < fetched.elements < tensor.numel() / 20
    here = msgspec.structs.asdict(subject.statistics(tensor))
    assert {key: pytest.approx(value, rel=1e-5, abs=1e-5) for key, value in here.items() if value is not None} == {
        key: value for key, value in msgspec.structs.asdict(found).items() if value is not None
    }


def test_what_stays_on_the_cpu_is_not_counted_as_fetched() -> None:
    with Fetched() as fetched:
        subject.statistics(cases()["with NaN and infinities"])
    assert fetched.elements == 0
