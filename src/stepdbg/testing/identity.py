"""Who holds a tensor of the fake debuggee, and what hangs on it."""

from __future__ import annotations

import math
from typing import Any

from stepdbg.protocol.messages import Hanging, Identity, Owner, Refusal
from stepdbg.testing.network import Adam, Network, Tensor

_BYTES = 4096
"""Between the made-up addresses of two tensors."""


def identify(name: str, model: Network, optimizer: Adam, variables: dict[str, Any]) -> Identity | Refusal:
    """The identity of the tensor of that name; of a gradient or a state entry, that of its parameter."""
    base = name.removesuffix(".grad")
    if base.startswith("optimizer.state["):
        base = base[base.index("[") + 1 : base.rindex("]")]
    path = base.removeprefix("model.")
    tensor = model.parameters.get(path) or model.buffers.get(path) or variables.get(base)
    if not isinstance(tensor, Tensor):
        return Refusal(f"{name} is not there at this stop; choose a tensor of the Model panel")
    owners = []
    if base != path:
        owners.append(Owner("model", base, "BatchNorm1d" if path in model.buffers else "Linear"))
    places = list(optimizer.parameters)
    if path in places:
        owners.append(Owner("optimizer", f'optimizer.param_groups[0]["params"][{places.index(path)}]', "Adam"))
    owners += [Owner("variable", key, "train()") for key, value in variables.items() if value is tensor]
    kinds = {"loss": "loss", "logits": "output"}
    return Identity(
        base,
        "parameter" if path in places else "buffer" if base != path else kinds.get(base, "batch"),  # type: ignore[arg-type]
        tensor.shape,
        tensor.dtype,
        "cpu",
        tensor.identity,
        0x7F3A_0000_0000 + tensor.identity * _BYTES,
        path in places,
        tensor.grad_fn,
        tuple(owners),
        hangs=tuple(_hanging(base, path, tensor, optimizer)),
        models=("model",),
        optimizers=("optimizer",),
        steps=optimizer.steps if path in places else 0,
        stateful=path in places and bool(optimizer.state),
    )


def _hanging(name: str, path: str, tensor: Tensor, optimizer: Adam) -> list[Hanging]:
    found = []
    if tensor.grad is not None:
        found.append(Hanging("grad", f"{name}.grad", f"{name}.grad", _text(tensor.grad), _norm(tensor.grad)))
    for key, entry in optimizer.state.get(path, {}).items():
        expression = f'optimizer.state[{name}]["{key}"]'
        found.append(Hanging("state", f"optimizer.state[{name}].{key}", expression, _text(entry), _norm(entry)))
    return found


def _text(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) if tensor.shape else f"{tensor.values[0]:g}"


def _norm(tensor: Tensor) -> float | None:
    return math.hypot(*tensor.values) if tensor.shape else None
