"""What the nodes of a graph are called: by the operator that has made them."""

from __future__ import annotations

import re
from typing import Any

import torch

_PARTS = re.compile(r"^(\w+?)Backward(?:\w*?)(\d*)$")


def node_name(node: Any) -> str:
    """`Sqrt` of `SqrtBackward0`; of a custom Function its own name."""
    if isinstance(node, torch._C._FunctionBase):
        return str(type(node).__name__)
    match = _PARTS.match(node.name())
    return match[1] if match else str(node.name())


def node_words(node: Any) -> str:
    """`sqrt`, `log_softmax`; of a custom Function the name of its class."""
    if isinstance(node, torch._C._FunctionBase):
        return type(node).__name__.removesuffix("Backward")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node_name(node)).lower()
