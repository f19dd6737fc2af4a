"""The output of one sample depends on another sample of the batch: an active probe, which calls the model once more in
a copy of the process.

The first dimension of an input is that of the samples where it is a batch as a loader has given it. The model is put
into evaluation mode in the copy, so that a batch norm is no leak, and of a tensor of numbers the gradient is asked for;
of whole numbers (tokens) the other samples are exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.probes.copies import Answer, in_a_copy, why_not
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import modules_of
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.tensors.readable import ORDINARY

_LEAK = 1e-4
"""What another sample contributes, relative to what the own one does."""
_FEWEST, _MOST = 2, 1 << 22
"""Samples of a batch at least, elements of an input at most."""
_MODULES = 200
"""Modules whose outputs are looked at."""


class SampleLeak(Rule):
    """The rule `sample-leak`."""

    name = "sample-leak"
    severity = "warning"
    exact = False
    probing = True

    def __init__(self) -> None:
        self._asked: set[int] = set()
        """The models that were probed, by `id`."""
        self._why = "no model was called with a batch as a loader has given it"
        self._apart = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        coming = moment.coming_model if moment.comes == "forward" and moment.fetched is not None else None
        if coming is None or id(coming[1]) in self._asked:
            return
        name, model = coming
        call = moment.call
        args, kwargs = call.get("args") or (), call.get("kwargs") or {}
        place = _batch(moment, args, kwargs)
        if place is None:
            return
        self._asked.add(id(model))
        if why := why_not():
            self._why = why
            return
        answer, failure = in_a_copy(lambda: _probe(model, args, kwargs, place))
        self._why = failure
        if not failure:
            yield from self._judge(moment, name, answer)

    def right(self) -> str:
        return "samples of a batch do not mix" if self._apart else ""

    def unchecked(self) -> str:
        return f"{self.name}: {self._why}" if self._why else ""

    def _judge(self, moment: Moment, name: str, answer: Answer) -> Iterator[Finding]:
        if "leak" not in answer:
            self._why = str(answer.get("why", ""))
            return
        leak = float(answer["leak"])
        if leak < _LEAK:
            self._apart = True
            return
        layer = str(answer["layer"])
        where = f"{name}.{layer}".rstrip(".")
        yield self.finding(
            moment,
            f"the samples of a batch mix in {name}: the output of one depends on another",
            objects=[where],
            evidence=f"sample {answer['other']:.0f} contributes {leak:.2g} of what sample {answer['own']:.0f} itself "
            f"does to the output of the latter (threshold: {_LEAK:g}), in evaluation mode",
            cause=f"the first output in which they are mixed is that of {where}, called at {at(moment.here)}",
            fix="keep the samples' dimension apart: batch_first, transpose instead of view, dim=-1 instead of dim=0",
        )


def _batch(moment: Moment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | str | None:
    """The place or name of the argument that is a tensor of a loader's batch, as it was given."""
    newest = moment.registry.newest.batch()
    given = [newest] if isinstance(newest, torch.Tensor) else list(newest or ())
    known = {id(one) for one in given}
    named: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    tensors = [(place, one) for place, one in named if type(one) in ORDINARY and id(one) in known and one.is_cpu]
    fitting = (place for place, one in tensors if one.dim() > 1 and one.shape[0] >= _FEWEST and one.numel() <= _MOST)
    return next(fitting, None)


def _probe(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], place: Any) -> Answer:
    """Whether the samples mix, and where first; runs in the copy."""
    model.eval()
    given = args[place] if isinstance(place, int) else kwargs[place]
    by_gradient = given.is_floating_point()

    def call(value: torch.Tensor) -> Any:
        changed = tuple(value if number == place else one for number, one in enumerate(args))
        return model(*changed, **{**kwargs, **({place: value} if isinstance(place, str) else {})})

    samples = given.shape[0]
    seen: list[tuple[str, torch.Tensor]] = []
    hooks = [module.register_forward_hook(_noting(path, samples, seen)) for path, module in modules_of(model)]
    if by_gradient:
        value = given.detach().clone().requires_grad_(True)
        seen += [("", one) for one in _outputs(call(value), samples)[:1]]
        found = [(path, *_by_gradient(one, value)) for path, one in seen]
    else:
        seen += [("", one) for one in _outputs(call(given), samples)[:1]]
        first, own = [*seen], samples - 1
        seen.clear()
        others = given[own : own + 1].expand_as(given).clone()
        seen += [("", one) for one in _outputs(call(others), samples)[:1]]
        pairs = zip(first, seen, strict=True)
        found = [(path, _difference(one[own], other[own]), 0, own) for (path, one), (_, other) in pairs]
    for hook in hooks:
        hook.remove()
    if not found or found[-1][0]:
        return {"why": "no output of the model has as many rows as the batch has samples"}
    _, leak, other, own = found[-1]
    layer = next((path for path, ratio, _, _ in found if ratio >= _LEAK), "")
    return {"leak": leak, "other": other, "own": own, "layer": layer}


def _noting(path: str, samples: int, seen: list[tuple[str, torch.Tensor]]) -> Any:
    def note(_: Any, __: Any, output: Any) -> None:
        if path and len(seen) < _MODULES:
            seen.extend((path, one) for one in _outputs(output, samples)[:1])

    return note


def _outputs(output: Any, samples: int) -> list[torch.Tensor]:
    """The tensors with a row for each sample; a table of each against each has them on purpose."""
    found = [one for _, one in tensors_in(output)]
    return [
        one
        for one in found
        if one.dim() > 0 and one.shape[0] == samples and one.is_floating_point() and one.shape != (samples, samples)
    ]


def _by_gradient(output: torch.Tensor, value: torch.Tensor) -> tuple[float, int, int]:
    """How much another sample contributes to the first or the last one's output, and which of them."""
    worst = (0.0, 0, 0)
    if not output.requires_grad:
        return worst
    for own in (0, output.shape[0] - 1):
        row = output[own].flatten()
        weights = torch.linspace(0.5, 1.5, row.numel(), dtype=row.dtype)
        (slope,) = torch.autograd.grad((row * weights).sum(), value, retain_graph=True, allow_unused=True)
        if slope is None:
            continue
        each = slope.reshape(slope.shape[0], -1).abs().amax(dim=1)
        mine = float(each[own])
        each[own] = 0
        ratio = float(each.max()) / mine if mine > 0 else float(each.max() > 0)
        if ratio > worst[0]:
            worst = (ratio, int(each.argmax()), own)
    return worst


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    size = float(one.abs().max())
    return float((one - other).abs().max()) / size if size > 0 else 0.0
