"""The images of a batch as small pictures of 16 levels, with the labels that lie beside them."""

from __future__ import annotations

import torch
from torch.nn.functional import adaptive_avg_pool2d

from stepdbg.protocol.messages import LookAtPictures, Pictures
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import shape_of

_LEVELS = 16
_MOST = 64
"""Pictures that are sent at a time."""


class Images(Handler):
    """Answers `LookAtPictures`."""

    answers = (LookAtPictures,)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, query: LookAtPictures) -> Pictures:
        """The images that are in view."""
        return pictures(self._registry, query)


def pictures(registry: Registry, query: LookAtPictures) -> Pictures:
    """The images that are in view.

    Raises:
        Refused: the tensor is gone, or is no such images.
    """
    entry = registry.alive.get(query.object)
    tensor = None if entry is None or entry.tensor is None else tensors.readable(entry.tensor)[0]
    size = query.channels * query.height * query.width
    if tensor is None or size <= 0 or tensor.numel() % size or query.channels not in (1, 3):
        raise Refused(f"{query.object} holds no images of {query.channels}×{query.height}×{query.width} at this stop")
    single = tensor.numel() == size and tensor.dim() == 2 and tensor.shape[0] == query.height
    batch = tensor.unsqueeze(0) if single else tensor
    first = max(0, min(query.first, batch.shape[0] - 1))
    part = batch[first : first + max(0, min(query.count, _MOST))]
    images = tensors.real(part).cpu().to(torch.float64).reshape(-1, query.channels, query.height, query.width)
    low, high = _range(images, tensor.dtype)
    rows, columns = max(1, min(query.rows, query.height)), max(1, min(query.columns, query.width))
    if (rows, columns) != (query.height, query.width):
        images = adaptive_avg_pool2d(images, (rows, columns))
    levels = ((images - low) * (_LEVELS / ((high - low) or 1.0))).floor().nan_to_num(0.0).clamp(0, _LEVELS - 1)
    levels = torch.where(torch.isfinite(images), levels, float(_LEVELS))
    labels, labels_of = _labels(registry, query.object, batch.shape[0])
    return Pictures(
        object=query.object,
        first=first,
        count=len(images),
        channels=query.channels,
        rows=rows,
        columns=columns,
        levels=bytes(levels.to(torch.uint8).reshape(-1).tolist()),
        low=low,
        high=high,
        labels=tuple(str(label) for label in labels[first : first + len(images)].tolist()) if labels_of else (),
        labels_of=labels_of,
    )


def _range(images: torch.Tensor, dtype: torch.dtype) -> tuple[float, float]:
    """What is black and what is white."""
    if dtype is torch.uint8:
        return 0.0, 255.0
    finite = images[torch.isfinite(images)]
    if not finite.numel():
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (0.0, 1.0) if low >= 0 and 0.5 < high <= 1 else (low, high)


def _labels(registry: Registry, name: str, number: int) -> tuple[torch.Tensor, str]:
    """A vector of whole numbers beside the images, one for each."""
    for other, entry in registry.alive.items():
        tensor = entry.tensor
        if (
            entry.kind == "batch"
            and other != name
            and tensor is not None
            and tensor.layout is torch.strided
            and shape_of(tensor) == (number,)
            and not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_quantized)
            and tensor.device.type != "meta"
        ):
            return tensors.local(tensor)[0], other
    return torch.empty(0, device="cpu"), ""
