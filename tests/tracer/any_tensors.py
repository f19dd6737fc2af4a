"""Tensors of every type, shape and stride, for hypothesis, and what numpy says of them in float64."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

FLOATS = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
)  # fmt: skip
INTEGERS = (
    torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64,
)  # fmt: skip
COMPLEX = (torch.complex32, torch.complex64, torch.complex128)
ODD = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0)


@st.composite
def tensors(draw: st.DrawFn, dtypes: tuple[torch.dtype, ...] = (*FLOATS, *INTEGERS, *COMPLEX)) -> torch.Tensor:
    """0-d to 7-d, empty ones among them; permuted, with gaps, or expanded; some with NaN and infinities."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(st.lists(st.integers(0, 5), max_size=7).map(tuple))
    if draw(st.integers(0, 9)) == 0:
        shape = (draw(st.integers(16_000, 20_000)), draw(st.integers(1, 3)))
    seed = draw(st.integers(0, 2**31))
    made = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    made = made * draw(st.sampled_from((1.0, 1e-3, 30.0))) + draw(st.sampled_from((0.0, 0.0, 3.0, -100.0)))
    if draw(st.booleans()):
        made = made.round()
    if dtype in FLOATS and made.numel():
        for place, value in draw(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(ODD)), max_size=4)):
            made.view(-1)[place % made.numel()] = value
    if dtype in INTEGERS and dtype not in (torch.bool, torch.int8, torch.int16, torch.int32, torch.int64):
        made = made.abs()
    if dtype in COMPLEX:
        other = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
        made = torch.complex(made, other)
    tensor = made.to(dtype)
    if tensor.dim() > 1:
        tensor = tensor.permute(draw(st.permutations(range(tensor.dim()))))
    match draw(st.integers(0, 3)):
        case 1 if tensor.dim():
            tensor = tensor[..., ::2]
        case 2 if tensor.dim():
            tensor = tensor[1:]
        case 3:
            tensor = tensor.expand(3, *tensor.shape)
    return tensor


@st.composite
def quantised(draw: st.DrawFn) -> torch.Tensor:
    """Of one scale for all or one for each channel, 1-d to 7-d, empty ones among them; some turned around."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=7)))
    dtype = draw(st.sampled_from((torch.qint8, torch.quint8, torch.qint32)))
    seed = draw(st.integers(0, 2**31))
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * draw(
        st.sampled_from((0.01, 1.0, 9.0))
    )
    if draw(st.booleans()):
        axis = draw(st.integers(0, len(shape) - 1))
        scales = torch.linspace(0.02, 0.2, shape[axis])
        zeros = torch.zeros(shape[axis], dtype=torch.int64)
        return torch.quantize_per_channel(numbers, scales, zeros, axis, dtype)
    made = torch.quantize_per_tensor(numbers, draw(st.sampled_from((0.01, 0.05))), draw(st.sampled_from((0, 3))), dtype)
    return made.permute(draw(st.permutations(range(made.dim()))))


def exactly(tensor: torch.Tensor) -> np.ndarray:
    """The numbers in float64; absolute values of complex ones."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_complex():
        return np.abs(wide(tensor).numpy()).astype(np.float64)
    return tensor.to(torch.float64).numpy()


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Complex numbers as numpy can take them."""
    return tensor.to(torch.complex64 if tensor.dtype is torch.complex32 else tensor.dtype).resolve_conj()
