"""Which parameters a call of `clip_grad_norm_` and its kin is given."""

from __future__ import annotations

import inspect
import math
from types import GeneratorType
from typing import Any, NamedTuple

import torch
from torch import nn

from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.introspect.layout import parameters_in
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.stack import local_variables

_LIMITS = ("max_norm", "clip_value")


class Clipping(NamedTuple):
    """A call that is about to clip."""

    parameters: list[torch.Tensor] | None
    """What it is given; None where that cannot be read without running the script's code (a generator of its own)."""
    exhausted: bool = False
    """Whether it is given a generator that has nothing more to give."""
    limit: float | None = None
    """The largest norm or value; None where that is no plain number."""

    @property
    def measures(self) -> bool:
        """Whether its limit is infinite: it only measures."""
        return self.limit is not None and math.isinf(self.limit)


def clipping(moment: Moment) -> Clipping | None:
    """The call that is about to clip; None where none is, or it is not one of torch's."""
    call = moment.call if moment.comes == "clip" else {}
    args: tuple[Any, ...] = call.get("args") or ()
    kwargs: dict[str, Any] = call.get("kwargs") or {}
    given: Any = args[0] if args else kwargs.get("parameters")
    limit: Any = args[1] if len(args) > 1 else next((kwargs[key] for key in _LIMITS if key in kwargs), None)
    limit = limit if type(limit) in (int, float) else None
    if is_a(given, torch.Tensor):
        return Clipping([given], limit=limit)
    if type(given) is GeneratorType:
        return Clipping(_to_come(given), exhausted=given.gi_frame is None, limit=limit)
    if type(given) in (list, tuple, set):
        return Clipping([one for one in given if is_a(one, torch.Tensor)], limit=limit)
    return Clipping(None, limit=limit) if given is not None else None


def _to_come(generator: GeneratorType[Any, Any, Any]) -> list[torch.Tensor] | None:
    """What a generator is about to give that was just made by torch's own `Module.parameters`; None for any other."""
    if generator.gi_code is not nn.Module.parameters.__code__:
        return None
    if generator.gi_frame is None or inspect.getgeneratorstate(generator) != inspect.GEN_CREATED:
        return None
    made_with = local_variables(generator.gi_frame)
    module: Any = made_with.get("self")
    if not is_a(module, nn.Module) or made_with.get("recurse") is not True:
        return None
    others = (kind for kind in type.mro(type(module)) if kind is not nn.Module)
    return None if any("named_parameters" in vars(kind) for kind in others) else [*parameters_in(module)]
