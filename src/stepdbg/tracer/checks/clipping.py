"""Which parameters a call of `clip_grad_norm_` and its kin is given."""

from __future__ import annotations

import math
from types import GeneratorType
from typing import Any, NamedTuple

import torch

from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.introspect.safe_access import is_a

_LIMITS = ("max_norm", "clip_value")


class Clipping(NamedTuple):
    """A call that is about to clip."""

    parameters: list[torch.Tensor] | None
    """What it is given; None where that cannot be read without running the script's code (a generator)."""
    exhausted: bool = False
    """Whether it is given a generator that has nothing more to give."""
    measures: bool = False
    """Whether its limit is infinite: it only measures."""


def clipping(moment: Moment) -> Clipping | None:
    """The call that is about to clip; None where none is, or it is not one of torch's."""
    call = moment.call if moment.comes == "clip" else {}
    args: tuple[Any, ...] = call.get("args") or ()
    kwargs: dict[str, Any] = call.get("kwargs") or {}
    given: Any = args[0] if args else kwargs.get("parameters")
    limit: Any = args[1] if len(args) > 1 else next((kwargs[key] for key in _LIMITS if key in kwargs), None)
    measures = type(limit) in (int, float) and math.isinf(limit)
    if is_a(given, torch.Tensor):
        return Clipping([given], measures=measures)
    if type(given) is GeneratorType:
        return Clipping(None, exhausted=given.gi_frame is None, measures=measures)
    if type(given) in (list, tuple, set):
        return Clipping([one for one in given if is_a(one, torch.Tensor)], measures=measures)
    return Clipping(None, measures=measures) if given is not None else None
